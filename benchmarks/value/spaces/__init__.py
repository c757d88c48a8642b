"""Candidates for the default spaces, compared on what recorded random searches said.

- `candidates.py`: the spaces by name
- `__main__.py`: what a study of few trials ends with in each of them
"""
