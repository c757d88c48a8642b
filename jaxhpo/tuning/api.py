"""`tune`, the entry point in Python."""

import inspect
from typing import Any, Unpack, overload

from jaxhpo.objectives import Function, Traceable
from jaxhpo.study import Study
from jaxhpo.tuning.options import HINTS, Options, TuneOptions
from jaxhpo.tuning.training_study import TrainingStudy
from jaxhpo.tuning.tuning import Tuning


@overload
def tune(data: Traceable | Function, **options: Unpack[TuneOptions]) -> Study: ...


@overload
def tune(data: Any, **options: Unpack[TuneOptions]) -> TrainingStudy: ...


def tune(data: Any, **options: Unpack[TuneOptions]) -> Study:
    """Search for the best configuration of a network on a data set, or of a function; return the finished study.

    Args:
        data: What trials train on: "digits", "mnist", "cifar10" or "imdb" (see `jaxhpo datasets`); a file (.csv, .tsv,
            .parquet, .npz) or a folder of images, a folder a class. In Python also a pandas DataFrame; your own
            arrays or texts `(x, y)`; a `Dataset`; or, instead of data, a function: `traceable(train)` or
            `function(score)`.
        model: "mlp", "cnn", "rnn" or "dan"; unless given, the CNN for images, the MLP for vectors, the DAN for texts
            and the RNN for sequences of numbers. In Python also a Flax model of your own, linen or nnx: its
            class, or a function that builds it. It is given the hyperparameters that its signature names, a `Float` as
            a traced number, an `Int` or `Choice` as a Python value; of the data it may name `classes` (or
            `num_classes`), `outputs`, `shape` and `vocabulary`; an nnx model names `rngs` or `key`. It is told whether
            it trains by arguments of its call, or of its class, called `train`, `training`, `is_training`,
            `deterministic`, `inference` or `use_running_average`. Sequences reach it with zeros after their end; if its
            call takes `mask`, that says which steps are real, [n, T] bool.
        algorithm: The search method; see `jaxhpo algorithms`. In Python also a factory, called as
            `factory(space, lanes=..., budget=...)`, such as
            `functools.partial(jaxhpo.algorithms.gp, acquisition="ei")`.
        space: What varies; unless given, the model's default hyperparameters and ranges.
        trials: How many configurations to train; unless given 32, or 16 with folds or repeats, or four rounds where
            that is more. In Python 64 of a function.
        lanes: Trials of a round; unless given 8 on a CPU, or one a core if it has more (one a core, and at least 2,
            beyond 8,000 training examples), 64 on an accelerator, but not more than a quarter of the trials where that
            is 8 or more. With folds or repeats that is how many
            trainings run at a time, but a round has at least two trials.
        epochs: The most that a trial trains; unless given, as many as make 48,000 updates with batches of 64, but 20
            at least and 300 at most. Where the space has a learning-rate schedule or a warm-up 20, and 5 beyond 5,000
            training examples. In Python also the budget of a function.
        patience: Epochs without a lower validation loss after which a trial ends; unless given 20, and 10 below 2,000
            training examples. Where the space has a schedule or a warm-up none, unless given. One of `epochs` or more
            ends no trial.
        checkpoint: Which epoch's weights and score count: "best", that of the lowest validation loss, or "last".
        folds: Cross-validation: a trial trains once for each of so many folds of the training and validation examples,
            on the others, and is scored on what the folds hold out, all together. Unless given 5 for your own data of
            up to 8,000 such examples whose validation split jaxhpo makes, fewer where the rarest class has fewer; else
            1, which means none.
        repeats: How many trainings a trial has, which differ in their random numbers; its score is their mean. More
            than one cannot go with folds.
        seed: Fixes every result bit for bit on one machine.
        loss: Function of the outputs and targets of a batch that returns a number, or one an example, whose mean
            counts; unless given, the mean cross-entropy of logits, or regression's mean squared error in units of the
            training targets' variance. One of your own sees regression targets in their own units, unless the data say
            otherwise: `jaxhpo.data.load(..., scale_targets=True)`.
        metric: What trials are compared by: of classes "accuracy", "balanced_accuracy", "f1" (the mean over classes),
            "roc_auc" (each class against the rest) or "log_loss"; of regression "r2", "rmse" or "mae"; unless given,
            accuracy or R2. In Python also a function `metric(outputs, y)` of a whole split that returns a number, or a
            metric of scikit-learn, which gets `(y_true, y_pred)` with labels or probabilities as it needs them. What
            JAX cannot trace is called on NumPy arrays when a trial ends.
        minimize: Whether lower values are better, of a metric or function of your own.
        target: The column of a table that is predicted, -1 for the last; unless given, one named target, label, y or
            class.
        drop: Columns of a table to leave out.
        task: "classification" or "regression", of data of your own; unless given the former.
        image_size: (height, width) to which the images of a folder are resized.
        train_examples: How many of the training examples to train on; unless given, all.
        data_dir: Where TFDS data sets lie; unless given, `TFDS_DATA_DIR` of the environment, else TFDS's own default.
        text: How texts become tokens; see `TextOptions`.
        final_fit: How many times to train the winner again, on training and validation examples; the mean and standard
            error of the test scores are reported. In Python see `TrainingStudy.final_fit`.
        machine: Engine, devices, memory and horizon; see `Machine`.
        timeout: Seconds that the search may take, or a text such as "5m" or "2h": no round begins that would end
            later.
        enqueue: Configurations to train first. Or a `Portfolio`, whose configurations take the places of the
            algorithm's first: `Portfolio.from_studies([read_journal("past.jsonl"), ...])`.
        prior: What many problems taught of rewards: "shipped", a `LearnedPrior`, or None for none. Algorithms that
            begin with none ignore "shipped" and refuse a `LearnedPrior`.
        callbacks: Functions that are called in order after every round, each as `callback(study, trials)` with the
            round's trials; `study.stop(reason)` ends the search. Shipped are `StopWhenReached(score)` and
            `StopWhenStalled(trials)`.
        output: A new file that gets every finished trial at once, as JSON lines.
        profile: A directory that gets a JAX trace of the run, for TensorBoard or Perfetto.
        cache: Whether to keep compiled programs in the user's cache directory; `JAXHPO_CACHE_DIR` moves it.
        verbose: Whether to show on standard error what was understood, and progress: a bar in a terminal, else a line a
            round.

    Returns:
        The study. Every study has `best` (configuration and validation score), `trials` (a DataFrame), `incumbent`,
        `metrics` and `summary`. That of trainings is a `TrainingStudy`, which adds the test score, `best_model()` and
        `final_fit()`.

    Raises:
        ValueError: if an argument is invalid; the message names it, and nothing has been trained.

    Example:
        >>> import jaxhpo as jh
        >>> space = jh.Space({"x": jh.Float(-2.0, 2.0)})
        >>> objective = jh.traceable(lambda key, hparams: (hparams["x"] - 1) ** 2)
        >>> study = jh.tune(objective, space=space, trials=24, minimize=True, verbose=False)
        >>> abs(study.best.config["x"] - 1) < 0.2
        True
    """
    chosen = Options(**options)
    return Tuning(data, chosen).run(verbose=chosen.verbose)


def _signature() -> inspect.Signature:
    """Return the signature of `tune` with every option spelled out, as `help` shows it."""
    parameter, keyword = inspect.Parameter, inspect.Parameter.KEYWORD_ONLY
    first = parameter("data", parameter.POSITIONAL_OR_KEYWORD, annotation=Any)
    rest = [parameter(name, keyword, default=value, annotation=kind) for name, (kind, value) in HINTS.items()]
    return inspect.Signature([first, *rest], return_annotation=Study)


tune.__signature__ = _signature()  # pyright: ignore[reportFunctionMemberAccess]
