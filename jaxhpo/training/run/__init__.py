"""Running a round of trials on the host.

- `programs.py`: the programs of a plan, as pure functions
- `executor.py`: compiles them, and runs chunks of lanes
- `batch.py`: divides a round into chunks, and collects scores, curves and the best weights
- `scores.py`: scores of single networks: of the test examples, and by a metric that is called on NumPy arrays
- `continuing.py`: trials that continue others
- `state.py`: the state between two rounds
- `usage.py`: floating-point operations and seconds of training
"""
