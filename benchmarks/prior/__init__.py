"""What builds the prior that `q_learning` begins with: its lessons, their trainings, and how it is learned of them."""
