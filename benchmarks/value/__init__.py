"""What a user ends with: test score and loss against seconds, of jaxhpo, of one hand-written network, and of others.

- `problems.py`: the problems, and their parts
- `methods.py`: which methods there are, and how their options are written
- `hand_written.py`, `own.py`, `optuna_tpe.py`, `scikit.py`: the methods
- `preprocessing.py`: what turns examples into numbers, for all but jaxhpo's own
- `run.py`: a process for each run, and the file of lines
- `lengths.py`: how many epochs and how much patience a trial should have
- `comparison.py`, `report.py`: scores and paired differences, and their tables
"""
