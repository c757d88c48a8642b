"""Convolutions, pooling and recurrences that XLA runs fast on a CPU, inside loops and under `vmap`.

- `convolution.py`: convolutions for users' own Flax modules
- `images.py`: convolutions and pooling of jaxhpo's networks
- `recurrent.py`: GRU, LSTM and vanilla cells over a sequence
"""
