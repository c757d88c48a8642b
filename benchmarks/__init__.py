"""One script a claim; each writes JSON to `results/` with the device, the versions and the command."""
