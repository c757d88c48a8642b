"""Search that learns nothing from scores: random, grid, Sobol."""
