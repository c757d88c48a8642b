"""`tune`, the front door in Python."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxhpo.algorithms import Prior
from jaxhpo.data import TextOptions
from jaxhpo.space import Space
from jaxhpo.study import Study
from jaxhpo.training.step.scoring import Loss, Metric
from jaxhpo.tuning.options import DEFAULT_ALGORITHM, AlgorithmFactory, Options
from jaxhpo.tuning.tuning import Tuning


def tune(
    data: Any,
    *,
    model: Any = None,
    algorithm: str | AlgorithmFactory = DEFAULT_ALGORITHM,
    space: Space | None = None,
    trials: int | None = None,
    lanes: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    loss: Loss | None = None,
    metric: str | Metric | None = None,
    minimize: bool = False,
    target: str | list[str] | None = None,
    drop: str | Sequence[str] = (),
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    final_fit: int = 0,
    engine: str | None = None,
    devices: int | None = None,
    memory: float | None = None,
    horizon: str = "short",
    timeout: float | None = None,
    train_examples: int | None = None,
    data_dir: str | os.PathLike | None = None,
    text: TextOptions | None = None,
    enqueue: Iterable[Mapping[str, Any]] = (),
    prior: Prior | None = None,
    output: str | os.PathLike | None = None,
    profile: str | os.PathLike | None = None,
    cache: bool = True,
    verbose: bool = True,
) -> Study:
    """Search for the best configuration of a network on a data set, or of a function; return the finished study.

    Args:
        data: what trials train on: "digits", "mnist", "cifar10", "imdb" (see `jaxhpo datasets`); a file (.csv, .tsv,
            .parquet, .npz) or a folder of images, a folder a class; a pandas DataFrame; your own arrays or texts
            `(x, y)`; or a `Dataset`. Or, instead of trainings, calls of your own function: `traceable(train)` or
            `function(score)`.
        model: "mlp", "cnn" or "rnn"; None takes the CNN for images, the MLP for vectors, the RNN for text. Or a Flax
            model of your own, linen or nnx: its class, or a function that builds it. It is given the hyperparameters
            that its signature names, a `Float` as a traced number, an `Int` or `Choice` as a Python value; of the data
            it may name `classes`, `outputs`, `shape`, `vocabulary`; an nnx model names `rngs`. Where its call takes
            `train`, `training` or `deterministic`, that says whether it trains.
        algorithm: a name (see `jaxhpo algorithms`), or a factory called as `factory(space, lanes=..., budget=...)`,
            such as `functools.partial(jaxhpo.algorithms.q_learning, prior=None)`.
        space: what varies; None is all of the model's hyperparameters over the model's default ranges.
        trials: configurations to train; unless given 64, or four batches where that is more.
        lanes: configurations of a round; unless given 8 on a CPU (more where it has more cores), 64 on an accelerator,
            but not more than a quarter of the trials where that is 8 or more.
        epochs: each trial's training; unless given 20 up to 5,000 training examples, 5 beyond. A function's budget.
        seed: fixes every result bit for bit on one machine.
        loss: of outputs and targets of a batch, a number; unless given the mean cross-entropy of logits, or
            regression's mean squared error in units of the training targets' variance.
        metric: what trials are compared by: "accuracy"; of regression "r2", "rmse" or "mae"; or a function of the
            outputs and targets of a whole split that returns a number. Unless given accuracy or R2.
        minimize: whether lower values are better, of a metric or function of your own.
        target: the column of a table that is predicted; unless given one named target, label, y or class.
        drop: columns of a table to leave out.
        task: "classification" or "regression", of data of your own; unless given the former.
        image_size: (height, width) to which the images of a folder are resized.
        final_fit: train the winner so many times more, on training and validation examples, and report the mean and
            standard error of the test scores; see `Study.final_fit`.
        engine: how lanes run: "threads", "vmap", "sharded", or "probe", which times those that can be; None follows
            the recorded costs of the machine.
        devices: that share the lanes; unless given all of an accelerator's kind, and one on a CPU.
        memory: GiB of each device that training may use; unless given half of a CPU's, three quarters of others'.
            More lanes than fit take several launches.
        horizon: "short" or "long": whether compiling a program has to pay within 64 trials or within 1,024. It does not
            follow from `trials`, so that a study and one that goes on longer run alike.
        timeout: seconds after which no further round begins; see `Study.run`.
        train_examples: train on so many of the training examples only.
        data_dir: where TFDS data sets lie; unless given, the environment's `TFDS_DATA_DIR`, else TFDS's own default.
        text: how texts become tokens; see `TextOptions`.
        enqueue: configurations to train first.
        prior: what did well in past studies of the same space, trained before the algorithm's own:
            `Prior.from_studies([read_journal("past.jsonl"), ...])`.
        output: a new file that gets every finished trial at once, as JSON lines.
        profile: a directory that gets a JAX trace of the run, for TensorBoard or Perfetto.
        cache: keep compiled programs in the user's cache directory (`JAXHPO_CACHE_DIR` moves it).
        verbose: show progress on standard error; False is silent.

    Returns:
        The study: `best` (configuration, validation and test score), `trials` (a DataFrame), `incumbent`, `summary`,
        `best_model()`.

    Raises:
        ValueError: naming the argument that cannot be, before anything is trained.
    """
    options = Options(
        model=model,
        algorithm=algorithm,
        space=space,
        trials=trials,
        lanes=lanes,
        epochs=epochs,
        seed=seed,
        loss=loss,
        metric=metric,
        minimize=minimize,
        target=target,
        drop=drop,
        task=task,
        image_size=image_size,
        final_fit=final_fit,
        engine=engine,
        devices=devices,
        memory=memory,
        horizon=horizon,
        timeout=timeout,
        train_examples=train_examples,
        data_dir=data_dir,
        text=text,
        enqueue=enqueue,
        prior=prior,
        output=output,
        profile=profile,
        cache=cache,
    )
    return Tuning(data, options).run(verbose=verbose)
