"""Candidates for the default spaces, compared on what recorded random searches said.

- `candidates.py`: the spaces by name
- `networks.py`: jaxhpo's MLP beside one in plain Flax, by representation of numbers
- `__main__.py`: what a study of few trials ends with in each of them
"""
