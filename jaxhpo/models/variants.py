"""What of a network is its program: the choices that no mask and no traced number can express."""

from typing import NamedTuple


class Variant(NamedTuple):
    """One network of a family; a model reads what it has."""

    cell: str = "gru"  # RNN: one of `CELLS`
    bidirectional: bool = False  # RNN
    activation: str = "relu"  # MLP, CNN: one of `ACTIVATIONS`
    norm: str = "none"  # MLP, CNN: one of `NORMS`
    growth: int = 1  # CNN: by which factor channels grow with each convolution

    @property
    def exact_depth(self) -> bool:
        """Whether every depth is a program of its own."""
        return self.growth > 1

    def to_json(self) -> dict[str, str | bool | int]:
        """Return what differs from the first variant, as plain data."""
        return {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}
