"""How good search methods are: regret on recorded tables, analytic functions and recorded learning curves."""
