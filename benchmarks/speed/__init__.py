"""How fast studies are, beside plain Flax, PyTorch and the machine's own limits."""
