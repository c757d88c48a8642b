"""What cannot be trained of a user's own is refused in one line before anything is trained."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from sklearn.metrics import confusion_matrix, f1_score, get_scorer

import jaxhpo
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer
from tests.training.own_models import Net, NnxNet

BASE = {"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))}
SPACE = Space(BASE)
WITH_RATE = Space(BASE | {"rate": Float(0.0, 0.5)})


def flat(x):
    return x.reshape(len(x), -1)


def net(call):
    """Return a linen model whose call is a function of the module and x."""

    class Made(nn.Module):
        @nn.compact
        def __call__(self, x):
            return call(self, x)

    return Made


def logits(module, x):
    del module
    return nn.Dense(10)(flat(x))


def fails(*_):
    raise RuntimeError("broken\nin two lines")


Good = net(logits)


class Branches(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x):
        return logits(self, 2 * x if self.rate > 0.2 else x)


class Shapes(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.Dense(self.rate)(flat(x)))


class Broadcasts(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(10)(nn.Dropout(self.rate, broadcast_dims=(0,))(flat(x), deterministic=not train))


class OtherParameters(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(10, name="a" if train else "b")(flat(x))


class Growing(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        kept = self.variable("state", "kept", lambda: jnp.zeros(1))
        if train:
            kept.value = jnp.zeros(len(x))
        return logits(self, x)


def whole(self, x):
    return logits(self, x) + self.param("whole", lambda key: jnp.zeros(10, jnp.int32))[None].astype(jnp.float32)


def paired(self, x):
    kernel, _ = self.param("pair", lambda key: (jnp.zeros((64, 10)), jnp.zeros(10)))
    return flat(x) @ kernel


def half(self, x):
    return nn.Dense(10, param_dtype=jnp.bfloat16)(flat(x).astype(jnp.bfloat16))


# Model, space, options, and how the message begins.
REFUSED = {
    "three logits": (net(lambda s, x: nn.Dense(3)(flat(x))), SPACE, {}, "model returns (16, 3) for 16 examples; give"),
    "no batch": (net(lambda s, x: logits(s, x).sum(0)), SPACE, {}, "model returns (10,) for 16 examples; give one out"),
    "a tuple": (net(lambda s, x: (logits(s, x), x)), SPACE, {}, "model returns tuple for 16 examples; give logits"),
    "a tuple, own loss": (
        net(lambda s, x: (logits(s, x), x)),
        SPACE,
        {"loss": lambda o, y: jnp.mean(o[0])},
        "model returns tuple for 16 examples; give logits [n, 10], or a loss and a metric of your own",
    ),
    "nothing": (net(lambda s, x: [logits(s, x), None][1:]), SPACE, {}, "model returns nothing; give one output"),
    "a loss a logit": (Good, SPACE, {"loss": lambda o, y: o}, "loss returns (16, 10), not a single number"),
    "a tuple of losses": (Good, SPACE, {"loss": lambda o, y: (o.sum(), 1)}, "loss returns tuple, not a single number"),
    "a whole loss": (Good, SPACE, {"loss": lambda o, y: y.sum()}, "loss returns int32, which has no gradient"),
    "a constant loss": (Good, SPACE, {"loss": lambda o, y: 0.5}, "loss returns 0.5, whatever the outputs; compute it"),
    "a loss in NumPy": (
        Good,
        SPACE,
        {"loss": lambda o, y: np.mean(np.asarray(o))},
        "loss cannot be compiled (TracerArrayConversionError); write it with jax.numpy alone",
    ),
    "a loss that fails": (Good, SPACE, {"loss": fails}, "loss fails on outputs and targets: RuntimeError: broken"),
    "a vector of scores": (Good, SPACE, {"metric": lambda o, y: o.sum(1)}, "metric returns (54,), not a single number"),
    "a constant score": (Good, SPACE, {"metric": lambda o, y: 1}, "metric returns 1, whatever the outputs; compute it"),
    "a metric in NumPy that fails": (
        Good,
        SPACE,
        {"metric": lambda o, y: np.asarray(o) @ np.ones(3)},
        "metric fails on outputs and targets: ValueError: matmul",
    ),
    "a loss that is no number": (Good, SPACE, {"loss": lambda o, y: jnp.sum(o) * jnp.nan}, "loss is nan for all out"),
    "a metric that is no number": (
        Good,
        SPACE,
        {"metric": lambda o, y: np.inf * np.asarray(o).std()},
        "metric is inf for",
    ),
    "targets first": (
        Good,
        SPACE,
        {"metric": lambda y_true, y_pred: jnp.mean(y_pred)},
        "metric has the arguments (y_true, y_pred), but is called with outputs first and targets second; swap them",
    ),
    "sklearn's scorer": (
        Good,
        SPACE,
        {"metric": get_scorer("accuracy")},
        "metric=_Scorer of scikit-learn calls an estimator; give its function, such as sklearn.metrics.f1_score",
    ),
    "sklearn's binary F1": (
        Good,
        SPACE,
        {"metric": f1_score},
        "metric fails on outputs and targets: ValueError: Target is multiclass but average='binary'. Please choose an",
    ),
    "sklearn's numbers for classes": (
        Good,
        SPACE,
        {"metric": confusion_matrix},
        "metric returns (10, 10), not a single number; take the mean, for instance",
    ),
    "no loss": (Good, SPACE, {"loss": 3}, "loss=3 must be a function of outputs and targets, or None"),
    "no metric": (Good, SPACE, {"metric": "r2"}, "metric='r2' is no metric of classification; use accuracy, ba"),
    "minimised accuracy": (Good, SPACE, {"metric": "accuracy", "minimize": True}, "minimize=True cannot go with metr"),
    "a branch": (
        Branches,
        WITH_RATE,
        {},
        "model cannot be compiled (TracerBoolConversionError); rate reaches it as a traced number: make a Choice of",
    ),
    "broadcast dropout": (Broadcasts, WITH_RATE, {}, "model cannot be compiled (TracerBoolConversionError); rate reac"),
    "a model in NumPy": (
        net(lambda s, x: logits(s, jnp.asarray(np.asarray(x)))),
        SPACE,
        {},
        "model cannot be compiled (TracerArrayConversionError); compute with jax.numpy, without Python's if",
    ),
    "a model that fails": (net(fails), SPACE, {}, "model cannot be built: RuntimeError: broken"),
    "an unknown name": (
        partial(Net),
        Space(BASE | {"width": Int(1, 2), "widht": Int(1, 2)}),
        {},
        "space has 'widht', which neither the model (takes width) nor training knows; name it in the model's",
    ),
    "layers it lacks": (Good, Space(BASE | {"layers": Int(1, 2)}), {}, "space has 'layers', which neither the model ("),
    "an argument that the space lacks": (Branches, SPACE, {}, "model takes 'rate', which the space lacks; put it in"),
    "its batches' size": (lambda batch_size: Good(), SPACE, {}, "model takes 'batch_size', which is training's; call"),
    "weights already": (NnxNet(4, rngs=nnx.Rngs(0)), SPACE, {}, "model=NnxNet has its weights already; give its clas"),
    "the same weights": (lambda: NnxNet(4, rngs=nnx.Rngs(0)), SPACE, {}, "model builds an nnx module with random num"),
    "a number": (3, SPACE, {}, "model=3 must be 'mlp', 'cnn', 'rnn', 'dan', or a function that returns a Flax module"),
    "keywords": (lambda **options: Good(), SPACE, {}, "model takes **keywords, so what of the space it wants is not"),
    "no module": (lambda: None, SPACE, {}, "model returns a NoneType, not a Flax module; return one, linen or nnx"),
    "a class": (lambda: Good, SPACE, {}, "model returns the class Made, not a Flax module; return one, linen or nnx"),
    "whole parameters": (net(whole), SPACE, {}, "model has no parameters, or some that are no real numbers; nothing"),
    "no parameters": (net(lambda s, x: flat(x)), SPACE, {}, "model has no parameters, or some that are no real numb"),
    "unnamed parameters": (net(paired), SPACE, {}, "model has parameters in tuples or lists; give each a name of its"),
    "half precision": (net(half), SPACE, {}, "model has parameters of bfloat16, too few bits for small updates; keep"),
    "other parameters": (OtherParameters, SPACE, {}, "model cannot be trained: ScopeParamNotFoundError: Could not fi"),
    "an axis of devices": (
        net(lambda s, x: logits(s, jax.lax.pmean(x, "batch"))),
        SPACE,
        {},
        "model reduces over an axis of devices, 'batch', and a trial has one device; leave out axis_name of its layers",
    ),
    "growing statistics": (Growing, SPACE, {}, "model changes the shapes of what it keeps while it trains; keep them"),
    "smoothing": (
        Good,
        Space(BASE | {"label_smoothing": Float(0.0, 0.2)}),
        {"loss": lambda o, y: o.mean()},
        "space has label_smoothing, which is of the cross-entropy of classes, not a loss of your own; drop it",
    ),
    "no space": (Good, None, {}, "space=None cannot go with a model of your own; say what varies"),
    "equal options": (
        lambda width: Good(),
        Space(BASE | {"width": Choice((1, True))}),
        {},
        "space width: of [1, True] some are equal to Python; give each once",
    ),
    "too many programs": (
        lambda width: Good(),
        Space(BASE | {"width": Int(1, 4097)}),
        {},
        "space has 4,097 combinations of whole numbers and options, each a program of its own; use fewer, at most",
    ),
    "too large batches": (Good, Space({"batch": Choice((161,))}), {}, "space batch_size: 161 exceeds the 160 training"),
    "too little memory": (
        Good,
        SPACE,
        {"machine": Machine(memory=1e-6)},
        "memory=1e-06 GiB is too little: a lane of the model needs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("door", ["trainer", "tune"])
def test_refused_in_one_line(case, door, small_digits):
    model, space, options, message = REFUSED[case]
    enter = Trainer if door == "trainer" else partial(jaxhpo.tune, cache=False, verbose=False, folds=1)
    with pytest.raises(ValueError) as refused:
        enter(small_digits, model=model, space=space, **options)
    said = str(refused.value)
    assert said.startswith(message)
    assert "\n" not in said
    assert len(said) < 300


def test_a_width_that_is_a_float_is_refused_with_the_remedy(small_digits):
    with pytest.raises(
        ValueError, match=r"^model cannot be built: TypeError: Shapes .*: make an Int or a Choice of rate$"
    ):
        Trainer(small_digits, Shapes, WITH_RATE)


def test_text_cannot_be_flipped(small_text):
    with pytest.raises(ValueError, match="'flip', which is for images, and the data are none; leave it out"):
        Trainer(small_text, Good, Space(BASE | {"flip": Float(0.0, 1.0)}))


class WithRanks(nn.Module):
    """Returns the class with the largest logit beside the logits."""

    @nn.compact
    def __call__(self, x):
        logits = nn.Dense(10)(x.reshape(len(x), -1))
        return logits, jnp.argmax(logits, axis=-1)


@pytest.mark.parametrize(("several", "said"), [({"folds": 3}, "folds"), ({"repeats": 2}, "repeats")])
def test_whole_numbers_have_no_mean_over_folds(several, said, small_digits):
    goal = {
        "loss": lambda z, y: optax.softmax_cross_entropy_with_integer_labels(z[0], y),
        "metric": lambda z, y: jnp.mean(z[1] == y),
    }
    wanted = (
        f"^{said}={several[said]} takes the mean of what a trial's networks return, and the model returns int32; let"
    )
    with pytest.raises(ValueError, match=wanted):
        Trainer(small_digits, WithRanks, SPACE, **goal, **several)
    Trainer(small_digits, WithRanks, SPACE, **goal)
