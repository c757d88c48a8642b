"""Training many configurations at once: one lane's step, optimizers by lane, engines, and the plan that picks them."""

from jaxhpo.training.default_spaces import default_space
from jaxhpo.training.final import FinalFit, final_fit
from jaxhpo.training.hyperparameters import ALIASES, DEFAULTS
from jaxhpo.training.model import Model, load_model
from jaxhpo.training.optimizers import OPTIMIZERS
from jaxhpo.training.plan import Plan, default_lanes
from jaxhpo.training.planner import make_plan
from jaxhpo.training.probe import PROBE, probe
from jaxhpo.training.trainer import Trainer
from jaxhpo.training.weights import TrainerState

__all__ = [
    "ALIASES",
    "DEFAULTS",
    "OPTIMIZERS",
    "PROBE",
    "FinalFit",
    "Model",
    "Plan",
    "Trainer",
    "TrainerState",
    "default_lanes",
    "default_space",
    "final_fit",
    "load_model",
    "make_plan",
    "probe",
]
