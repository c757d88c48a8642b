"""What training is for: the loss that it minimizes, and the metric by which trials are compared.

- `scoring.py`: the goal, a loss and a metric; the losses of the tasks
- `metrics.py`: metrics by name
- `array_metrics.py`: metrics of scikit-learn, called on arrays
- `averaging.py`: the mean of several networks' outputs
- `resampling.py`: the standard error of a score, by the bootstrap
"""
