"""Training networks: many configurations at once, in the lanes of a few compiled programs.

- `trainer.py`: `Trainer`, a data set, a model and a space made into an objective
- `final_fit.py`: the winner trained again on training and validation examples
- `engine_probe.py`: engines timed on this machine
- `config/`: what a space may hold
- `planning/`: which programs are compiled, and what they may use of the machine
- `networks/`: jaxhpo's own networks, and the user's
- `goal/`: losses and metrics
- `step/`: what is traced: one lane, optimizers, losses
- `run/`: a round on the host
- `trained/`: trained networks: prediction, saving, loading
"""

from jaxhpo.training.config.default_spaces import default_space
from jaxhpo.training.config.hyperparameters import ALIASES, DEFAULTS
from jaxhpo.training.engine_probe import PROBE, probe
from jaxhpo.training.final_fit import FinalFit, final_fit
from jaxhpo.training.networks import make_family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.planning.planner import make_plan
from jaxhpo.training.planning.resources import Machine, default_lanes, read_resources
from jaxhpo.training.run.state import TrainerState
from jaxhpo.training.step.optimizers import OPTIMIZERS
from jaxhpo.training.trained.model import Model
from jaxhpo.training.trained.saving import load_model
from jaxhpo.training.trainer import Trainer

__all__ = [
    "ALIASES",
    "DEFAULTS",
    "OPTIMIZERS",
    "PROBE",
    "FinalFit",
    "Machine",
    "Model",
    "Plan",
    "Trainer",
    "TrainerState",
    "default_lanes",
    "default_space",
    "final_fit",
    "load_model",
    "make_family",
    "make_plan",
    "probe",
    "read_resources",
]
