"""Running a round of trials on the host.

- `programs.py`: the programs of a plan, as pure functions
- `executor.py`: compiles them, and runs chunks of lanes
- `layout.py`: the lanes of a trial: one, or one a fold or repeat
- `arguments.py`: the arguments of a chunk's program
- `batch.py`: divides a round into chunks, and collects scores, curves and the best weights
- `scores.py`: scores of networks: of the test examples, of folds together, and by a metric on NumPy arrays
- `placement.py`: the examples of a data set on the device
- `models.py`: the networks of trials as a `Model`
- `candidates.py`: what of the trials is kept for networks that answer together
- `continuing.py`: trials that continue others
- `state.py`: the state between two rounds
- `usage.py`: floating-point operations and seconds of training
"""
