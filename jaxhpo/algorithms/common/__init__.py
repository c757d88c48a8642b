"""Functions that several algorithms share.

- `history.py`: told trials in arrays of fixed size
- `proposals.py`: legal points, proposals and uniform draws
- `epsilon.py`: epsilon that decays by the variance of Q
- `cholesky.py`: inverses of Cholesky factors
- `checks.py`: checks of arguments
"""
