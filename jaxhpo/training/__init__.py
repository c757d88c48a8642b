"""Training many configurations at once: one lane's step, optimizers by lane, engines, and the plan that picks them."""

from jaxhpo.training.config.default_spaces import default_space
from jaxhpo.training.config.hyperparameters import ALIASES, DEFAULTS
from jaxhpo.training.final import FinalFit, final_fit
from jaxhpo.training.planning.plan import Plan, default_lanes
from jaxhpo.training.planning.planner import make_plan
from jaxhpo.training.probe import PROBE, probe
from jaxhpo.training.run.state import TrainerState
from jaxhpo.training.step.optimizers import OPTIMIZERS
from jaxhpo.training.trained.model import Model, load_model
from jaxhpo.training.trainer import Trainer

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
