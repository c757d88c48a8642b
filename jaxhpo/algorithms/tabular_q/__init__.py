"""Q-learning with a table of the states that were visited.

- `tabular_q.py`: the agent
- `moves.py`: its actions
- `q_table.py`: the table
"""
