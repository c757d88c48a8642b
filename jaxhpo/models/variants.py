"""What of a network is its program: the choices that no mask and no traced number can express."""

from typing import Any, NamedTuple


class Variant(NamedTuple):
    """One network of a family; a model reads what it has."""

    cell: str = "gru"  # RNN: one of `CELLS`
    bidirectional: bool = False  # RNN
    activation: str = "relu"  # MLP, CNN: one of `ACTIVATIONS`
    norm: str = "none"  # MLP, CNN: one of `NORMS`
    growth: int = 1  # CNN: by which factor channels grow with each convolution
    own: tuple[tuple[str, Any], ...] = ()  # a user's model: what it is built with, by name
    batch_size: int | None = None  # where lanes of several batch sizes share no program

    @property
    def exact_depth(self) -> bool:
        """Whether every depth is a program of its own."""
        return self.growth > 1

    def to_json(self) -> dict[str, Any]:
        """Return what differs from the first variant, as plain data."""
        differing = {name: value for name, value in self._asdict().items() if value != self._field_defaults[name]}
        differing.pop("own", None)
        return differing | dict(self.own)


CHOICES = tuple(name for name in Variant._fields if name not in ("own", "batch_size"))
"""The fields that are hyperparameters of jaxhpo's own networks."""
