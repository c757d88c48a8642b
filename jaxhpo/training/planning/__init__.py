"""The plan of a study, made before the first trial.

- `plan.py`: the plan: engine, lanes, devices, buckets; and what the user may ask of the machine
- `planner.py`: which buckets jaxhpo's own networks are compiled in
- `costs.py`: recorded costs of kinds of device, and memory
"""
