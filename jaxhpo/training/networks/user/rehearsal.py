"""A rehearsal of a user's model: what training does with it, traced for shapes alone."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.errors import InvalidRngError, ModifyScopeVariableError
from jax.tree_util import DictKey

from jaxhpo.data import Dataset
from jaxhpo.errors import UNTRACEABLE, first_line, place_of
from jaxhpo.models import Cost
from jaxhpo.space import Float, Space
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.goal_rehearsal import is_own
from jaxhpo.training.networks.user.cost import cost_of
from jaxhpo.training.networks.user.dependence import Dependence
from jaxhpo.training.networks.user.lanes import check_lanes, others_decide
from jaxhpo.training.networks.user.model import UnfitError, UserModel
from jaxhpo.training.networks.user.training_checks import check_training, dropout_layers
from jaxhpo.training.networks.user.unread import Form, form_of
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Batch
from jaxhpo.types import Array


class Rehearsal:
    """A training step and an evaluation of a form, traced for shapes alone, so that no error waits for the first trial.

    Args:
        learner: The model in one of its forms.
        size: Of a batch.
        data: What it is trained on.
        space: What varies.
        hyper: [D] float32 -> the lane's hyperparameters.
        goal: Loss and metric.
        check_goal: Shapes of outputs -> the goal; raises ValueError where they do not go with loss and metric.
    """

    def __init__(
        self,
        learner: UserModel,
        size: int,
        data: Dataset,
        space: Space,
        hyper: Callable,
        goal: Goal,
        check_goal: Callable[[Any], Goal],
    ):
        self.learner, self.goal, self.check_goal, self.examples, self.space = learner, goal, check_goal, data, space
        self.size = n = min(size, len(data.y_train))
        x = jax.ShapeDtypeStruct((n, *data.x_train.shape[1:]), data.x_train.dtype)
        y = jax.ShapeDtypeStruct((n, *data.y_train.shape[1:]), data.y_train.dtype)
        targets = (data.target_offset, data.target_scale) if data.task == "regression" else (None, None)
        self.data = TrainingData(Split(x, y), Split(x, y), data.offset, data.scale, *targets)
        self.read = hyper
        self.hyper = jax.eval_shape(hyper, jax.ShapeDtypeStruct((len(space),), np.float32))
        self.key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))

    def run(self) -> Form:
        """Return what the form's programs are; raise ValueError if it cannot be trained, which says why."""
        built = self._traced("built", Dependence, self._start, self.key, self.data, self.hyper)
        params, statistics = built.outputs
        self._check_params(params)
        arguments = self.key, self.data, self.hyper, params, statistics
        still = self._traced("called", Dependence, self._outputs, *arguments)
        outputs, _ = still.outputs
        self._check_outputs(outputs)
        self.goal = self.check_goal(jax.eval_shape(partial(self.learner.in_units, self.data), outputs))
        with dropout_layers() as drops:
            step = self._traced("trained", Dependence, self._step, *arguments)
        if jax.tree.map(_kind, step.outputs[2]) != jax.tree.map(_kind, statistics):
            raise ValueError("model changes the shapes of what it keeps while it trains; keep them as they begin")
        batch_statistics = statistics and jax.eval_shape(self.learner.batch_statistics, self.hyper, statistics)
        check_training(step, drops, still, batch_statistics)
        if others_decide(step.program) or others_decide(still.program):
            self._check_lanes()
        return form_of(params, (built, still, step))

    def cost(self) -> Cost:
        """Return what the form costs."""
        params, statistics = jax.eval_shape(self._start, self.key, self.data, self.hyper)

        def loss(params: Any, data: TrainingData) -> Array:
            key, *others = jax.tree.map(_zeros, (self.key, self.hyper, statistics))
            leaves = jax.tree.leaves(self._outputs(key, data, others[0], params, others[1])[0])
            return jnp.sum(jnp.stack([jnp.sum(leaf).astype(jnp.float32) for leaf in leaves]))

        return cost_of(loss, params, self.data, self.size)

    # --- what is traced ----------------------------------------------------------------------------------------------

    def _start(self, key: Any, data: TrainingData, hyper: Hyper) -> Any:
        return self.learner.start(key, self.learner.prepare(data, data.train.x[:1]), hyper)

    def _outputs(self, key: Any, data: TrainingData, hyper: Hyper, params: Any, statistics: Any) -> Any:
        x = self.learner.prepare(data, data.train.x)
        return self.learner.call(hyper, params, statistics, x, key, trains=False)

    def _step(self, key: Any, data: TrainingData, hyper: Hyper, params: Any, statistics: Any) -> Any:
        x, y = self.learner.prepare(data, data.train.x), data.train.y
        batch = Batch(x, y, jax.random.key_data(key), jnp.arange(self.size, dtype=jnp.int32))
        return self.learner.gradients(self.goal, data, hyper, params, statistics, batch)

    def _lane(self, key: Any, hyper: Hyper) -> tuple[Any, Any, Any]:
        """Return the loss, the outputs and the gradients of a trial's first batch."""
        d = self.examples
        split = Split(*(np.asarray(array[: self.size]) for array in (d.x_train, d.y_train)))
        data = self.data._replace(train=split, valid=split)
        params, statistics = self._start(key, data, hyper)
        loss, grads, after = self._step(key, data, hyper, params, statistics)
        return loss, self._outputs(key, data, hyper, params, after)[0], grads

    # --- what is found -----------------------------------------------------------------------------------------------

    def _check_params(self, params: Any) -> None:
        floats = [leaf for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        if len(floats) != len(jax.tree.leaves(params)) or not floats:
            raise ValueError("model has no parameters, or some that are no real numbers; nothing in it can be trained")
        if any(not isinstance(path[-1], DictKey) for path, _ in jax.tree_util.tree_leaves_with_path(params)):
            raise ValueError("model has parameters in tuples or lists; give each a name of its own")
        small = [str(leaf.dtype) for leaf in floats if jnp.finfo(leaf.dtype).bits < 32]
        if small:
            raise ValueError(
                f"model has parameters of {small[0]}, too few bits for small updates; keep them in float32 "
                f"(param_dtype) and compute in {small[0]} (dtype)"
            )

    def _check_outputs(self, outputs: Any) -> None:
        data = self.examples
        leaves = jax.tree.leaves(outputs)
        if not leaves:
            raise ValueError("model returns nothing; give one output an example, [n, ...]")
        if any(leaf.shape[:1] != (self.size,) for leaf in leaves):
            shapes = ", ".join(str(leaf.shape) for leaf in leaves)
            raise ValueError(f"model returns {shapes} for {self.size} examples; give one output an example, [n, ...]")
        if self.goal.loss is not None and is_own(self.goal.metric) and not self.learner.standardised:
            return
        wanted = (self.size, data.classes) if data.task == "classification" else (self.size, *data.y_train.shape[1:])
        fitting = [wanted, (self.size, 1)] if self.learner.standardised and len(wanted) == 1 else [wanted]
        if not isinstance(outputs, jax.ShapeDtypeStruct) or outputs.shape not in fitting:
            found = getattr(outputs, "shape", type(outputs).__name__)
            what = f"logits [n, {data.classes}]" if data.task == "classification" else "predictions, as y has them, "
            other = "scale_targets=False" if self.goal.standardised else "a loss and a metric of your own"
            raise ValueError(
                f"model returns {found} for {self.size} examples; give {what}{'' if what[-1] == ']' else str(wanted)}, "
                f"or {other}"
            )

    def _check_lanes(self) -> None:
        corners = np.random.default_rng(0).random((2, len(self.space)), np.float32)
        trials = [(jax.random.key(i, impl="threefry2x32"), self.read(corner)) for i, corner in enumerate(corners)]
        check_lanes(self._lane, *trials)

    def _traced(self, what: str, trace: Callable, *arguments: Any) -> Any:
        """Return `trace(*arguments)`; raise ValueError where it fails by what is the user's."""
        try:
            return trace(*arguments)
        except UnfitError:
            raise
        except (InvalidRngError, ModifyScopeVariableError) as error:
            if what != "called":
                raise ValueError(_failed(what, error)) from error
            does, only = (
                ("draws random numbers", "deterministic")
                if isinstance(error, InvalidRngError)
                else ("changes what it keeps, such as batch statistics,", "use_running_average")
            )
            raise ValueError(
                f"model {does} in evaluation; let its call take train, and give its layers {only}=not train"
                f"{place_of(error)}"
            ) from error
        except UNTRACEABLE as error:
            traced = [n for n in self.learner.factory.takes if isinstance(self.space[n], Float)]
            if traced:
                several = f"{', '.join(traced)} reach it as traced numbers" if traced[1:] else f"{traced[0]} reaches it"
                remedy = (
                    f"{several}{'' if traced[1:] else ' as a traced number'}: make a Choice of what has to be a Python "
                    "value, or compute with jax.numpy"
                )
            else:
                remedy = "compute with jax.numpy, without Python's if and float() on arrays"
            problem = f"model cannot be compiled ({type(error).__name__}); {remedy}"
            raise ValueError(f"{problem}{place_of(error)}") from error
        except Exception as error:  # of the user's code, or Flax's and JAX's words on it
            floats = [n for n in self.learner.factory.takes if isinstance(self.space[n], Float)]
            message = _failed(what, error)
            if floats and "Shapes must be 1D sequences of concrete values" in str(error):
                message += f"; a Float decides no shape: make an Int or a Choice of {' or '.join(floats)}"
            raise ValueError(message) from error


def _failed(what: str, error: Exception) -> str:
    if axis := re.match(r"Found an unbound axis name: (\w+)", str(error)):
        problem = f"model reduces over an axis of devices, {axis[1]!r}, and a trial has one device"
        return f"{problem}; leave out axis_name of its layers{place_of(error)}"
    return f"model cannot be {what}: {type(error).__name__}: {first_line(error, 160)}{place_of(error)}"


def _zeros(leaf: Any) -> Any:
    """Return an array of zeros, or a key, of a shape and dtype."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key(0, impl="threefry2x32")
    return jnp.zeros(leaf.shape, leaf.dtype)


def _kind(leaf: Any) -> tuple[tuple[int, ...], Any]:
    return leaf.shape, leaf.dtype
