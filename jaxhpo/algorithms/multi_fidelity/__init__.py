"""Search that trains many configurations briefly and few for long: successive halving, Hyperband, ASHA, PBT.

- `rungs.py`: budgets, and ranks within a rung
- `brackets.py`: brackets of successive halving and Hyperband
- `perturbation.py`: perturbation of hyperparameters for PBT
"""
