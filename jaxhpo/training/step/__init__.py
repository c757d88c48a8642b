"""The training step: pure functions that are traced into the compiled programs.

- `lane.py`: the training of one configuration, epoch by epoch: minibatches, gradients, L1 and L2, updates, evaluation
- `lane_state.py`: a lane as data: its start, its state between two epochs, its result
- `stopping.py`: when a lane's training ends, and which of its epochs counts
- `cross_fitting.py`: outputs of epochs that were chosen without the example
- `folds.py`: the folds of a cross-validation, whose examples are neighbours in one pool
- `engines.py`: how the lanes of a chunk run: in threads, side by side, or on several devices
- `learner.py`: the network of a lane: initial weights, dropout, loss and gradients (`Masked` for jaxhpo's networks)
- `hyper.py`: the hyperparameters of a lane
- `optimizers.py`: all optimizers as one formula, and clipping
- `schedules.py`: learning-rate schedules and warm-up
- `augmentation.py`: crops, mirror images and cutout
- `examples.py`: examples on the device, the order of an epoch, groups of texts by length
"""
