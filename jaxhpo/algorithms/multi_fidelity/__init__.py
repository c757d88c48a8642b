"""Search that trains many configurations a little and few for long: successive halving, Hyperband, ASHA, PBT.

- `rungs.py`: budgets, and ranks within a rung
- `brackets.py`: what successive halving and Hyperband share
- `perturbation.py`: how PBT varies hyperparameters
"""
