"""Evolutionary search: a genetic algorithm, regularized evolution, CMA-ES."""
