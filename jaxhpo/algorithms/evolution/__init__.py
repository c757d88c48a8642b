"""Evolutionary search.

- `genetic.py`, `regularized_evolution.py`, `cmaes.py`: the algorithms
- `variation.py`: mutation and crossover
- `cma_distribution.py`: the normal distribution that CMA-ES adapts
- `cma_space.py`: a space with unordered options, as CMA-ES sees it
"""
