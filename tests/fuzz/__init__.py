"""Generated inputs for spaces, data and the command line: refused by jaxhpo in one line, or taken.

    python -m tests.fuzz --examples 2000 [--seed 1] [--kind csv]

prints what failed with the input that did it, the slowest call and the largest growth of memory. It ends with 1 where
anything failed, or took more than 5 s or 1 GB.

- `values.py`: odd numbers, texts and objects
- `spaces.py`, `data.py`, `files.py`, `calls.py`: what is drawn of each kind, and what is done with it
- `cases.py`: all kinds, what counts as a failure, and what is measured
"""
