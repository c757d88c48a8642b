"""Search that trains many configurations briefly and few for long.

- `successive_halving.py`, `hyperband.py`, `asha.py`, `pbt.py`: the algorithms
- `rungs.py`: budgets, and ranks within a rung
- `brackets.py`: brackets of successive halving and Hyperband
- `perturbation.py`: perturbation of hyperparameters for PBT
"""
