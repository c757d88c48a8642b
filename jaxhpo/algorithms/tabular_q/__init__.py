"""Q-learning with a table of the visited states.

- `tabular_q.py`: the agent
- `moves.py`: the actions
- `q_table.py`: the table
"""
