"""What a user ends with: test score and loss against seconds, of jaxhpo, of one hand-written network, and of others.

- `problems.py`: the problems, and their parts
- `methods.py`: which methods there are, and how their options are written
- `own.py`: jaxhpo; `others/`: what it is compared with
- `run.py`: a process for each run, and the file of lines
- `recorded.py`: what every trial of a study said, in a file
- `rules/`: rules for the winner and for the ensemble, compared on such files
- `lengths.py`: how many epochs and how much patience a trial should have
- `comparison.py`, `report.py`: scores and paired differences, and their tables
"""
