"""The hyperparameters of training: names, aliases, limits, and defaults for those that a space does not have."""

from difflib import get_close_matches
from typing import Any

import numpy as np

from jaxhpo.models import FAMILIES
from jaxhpo.models.family import MASKABLE, Hyperparameter, Limits
from jaxhpo.training.step.optimizers import OPTIMIZERS
from jaxhpo.training.step.schedules import SCHEDULES

_SHARE = Limits(0.0, 1.0, high_allowed=False)
_ANY = Limits(0.0, np.inf)
_PIXELS = Limits(0, 64, whole=True)

_OF_TRAINING = {
    "learning_rate": Hyperparameter(
        1e-3, Limits(0.0, np.inf, low_allowed=False), "the highest, where a schedule or warm-up changes it", ("lr",)
    ),
    "batch_size": Hyperparameter(64, Limits(1, 2**20, whole=True), "multiples of the smallest", ("batch",)),
    "layers": Hyperparameter(
        2,
        Limits(1, 64, whole=True),
        "hidden layers; convolutions of a CNN",
        ("num_layers", "n_layers", "depth"),
        MASKABLE,
    ),
    "units": Hyperparameter(
        32,
        Limits(1, 2**16, whole=True),
        "of a layer; channels of a CNN's first",
        ("num_units", "n_units", "hidden_size", "neurons", "width"),
        MASKABLE,
    ),
    "l1": Hyperparameter(0.0, _ANY, "times the sum of absolute kernel weights", ("l1_reg",)),
    "l2": Hyperparameter(0.0, _ANY, "times the sum of squared kernel weights", ("l2_reg",)),
    "dropout": Hyperparameter(0.0, _SHARE, "rate, of a CNN in its dense layer", ("dropout_rate",)),
    "optimizer": Hyperparameter("adam", OPTIMIZERS, "`adamw` is `adam` with decoupled weight decay", ("optim",)),
    "momentum": Hyperparameter(None, _SHARE, "decay of the mean gradient in the optimizer `momentum`, else 0.9"),
    "weight_decay": Hyperparameter(
        None, _ANY, "decoupled, of every optimizer; else 1e-4 in `adamw` and none in others", ("wd",)
    ),
    "schedule": Hyperparameter(
        None, SCHEDULES, "of the learning rate over the most epochs of a trial", ("lr_schedule", "scheduler")
    ),
    "warmup": Hyperparameter(
        None, _SHARE, "share of the updates over which the learning rate grows from 0", ("warmup_ratio", "warmup_share")
    ),
    "clip": Hyperparameter(
        None, _ANY, "the gradient's largest norm; 0 is none", ("clip_norm", "gradient_clip", "max_grad_norm")
    ),
    "label_smoothing": Hyperparameter(None, _SHARE, "share of a label spread evenly over the classes", ("smoothing",)),
    "crop": Hyperparameter(
        None,
        _PIXELS,
        "augmentation: pixels up to which an image is shifted, edges mirrored",
        images=True,
    ),
    "flip": Hyperparameter(
        None,
        Limits(0.0, 1.0),
        "augmentation: probability of a mirror image, left and right",
        images=True,
    ),
    "cutout": Hyperparameter(None, _PIXELS, "augmentation: side of the square that is blanked, in pixels", images=True),
    "embedding_dropout": Hyperparameter(
        None, _SHARE, "rate at which an embedding's features are dropped, for a whole text"
    ),
}


def _all_of_them() -> dict[str, Hyperparameter]:
    """Return training's hyperparameters and those that networks declare, with the networks that take each."""
    known = dict(_OF_TRAINING)
    for family in FAMILIES.values():
        known |= family.structure
    special = {name for family in FAMILIES.values() for name in (*family.traced, *family.structure)}

    def takers(name: str) -> tuple[str, ...]:
        takes = (model for model, family in FAMILIES.items() if name in (*family.traced, *family.structure))
        return tuple(takes) if name in special else tuple(FAMILIES)

    return {name: one._replace(models=takers(name)) for name, one in known.items()}


HYPERPARAMETERS = _all_of_them()
"""By name."""

DEFAULTS: dict[str, Any] = {name: known.default for name, known in HYPERPARAMETERS.items()}
"""Every hyperparameter, with its value if a space does not have it; None leaves out its computation."""

KINDS = {name: known.kind for name, known in HYPERPARAMETERS.items()}
"""The kind of every hyperparameter: how its value reaches the compiled program."""

ALIASES = {alias: name for name, known in HYPERPARAMETERS.items() for alias in known.aliases}
"""Other names of hyperparameters in a space."""


def canonical_name(name: str) -> str:
    """Return the hyperparameter that has a name or alias; raise ValueError if there is none."""
    known = ALIASES.get(name, name)
    if known not in DEFAULTS:
        near = get_close_matches(name, [*DEFAULTS, *ALIASES], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"space has unknown hyperparameter {name!r}; {hint}it may hold {', '.join(DEFAULTS)}")
    return known


def listing() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the column titles of a table of the hyperparameters, and its rows."""
    rows = []
    for name, known in HYPERPARAMETERS.items():
        allowed = str(known.allowed) if isinstance(known.allowed, Limits) else ", ".join(map(str, known.allowed))
        rows.append((name, known.about.replace("`", ""), allowed, ", ".join(known.models), ", ".join(known.aliases)))
    return ("name", "what it is", "allowed", "models", "other names"), rows
