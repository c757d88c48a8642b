"""The plan of a study, made before the first trial.

- `resources.py`: what the user may ask of the machine (`Machine`): engine, devices, memory, horizon
- `plan.py`: the plan: lanes, launches, and buckets, which are the programs
- `planner.py`: decides the buckets of jaxhpo's own networks
- `costs.py`: recorded costs of kinds of device, and memory of a lane
"""
