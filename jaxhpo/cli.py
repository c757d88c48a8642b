"""The command `jaxhpo`: tune, and list what there is.

Bad input ends with one line on standard error and exit code 2; a study without a success, or one whose output file
was lost, with 1; Ctrl-C with 130, after showing what had finished.
"""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

import jaxhpo
from jaxhpo import algorithms, data
from jaxhpo.data import TextOptions
from jaxhpo.report.console import best_table, closing_lines, listing
from jaxhpo.space import Space
from jaxhpo.study import Study
from jaxhpo.study.journal import plain
from jaxhpo.training.config import hyperparameters
from jaxhpo.tuning import DEFAULT_ALGORITHM, DEFAULT_TRIALS, Options, Tuning

_TEXT = TextOptions()

app = typer.Typer(
    help="Tune Flax networks: many configurations train at once, a Q-learning agent picks them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        print(jaxhpo.__version__)
        raise typer.Exit


data_app = typer.Typer(help="Get data sets ready.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


@app.command()
def tune(
    dataset: Annotated[
        str, typer.Argument(help="What to train on: see `jaxhpo datasets`; or a .csv, .parquet, .npz, image folder.")
    ],
    model: Annotated[str | None, typer.Option(help="mlp, cnn or rnn.  [default: what fits the data]")] = None,
    algorithm: Annotated[str, typer.Option(help="The search method; see `jaxhpo algorithms`.")] = DEFAULT_ALGORITHM,
    trials: Annotated[
        int | None, typer.Option(help=f"Configurations to train.  [default: {DEFAULT_TRIALS}, or 4 times --lanes]")
    ] = None,
    lanes: Annotated[
        int | None, typer.Option(help="Trials of a round.  [default: 8 on a CPU, up to 64 on an accelerator]")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Each trial's training.  [default: 20; 5 above 5,000 training examples]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes every result.")] = 0,
    metric: Annotated[
        str | None, typer.Option(help="accuracy; of regression r2, rmse, mae.  [default: accuracy, r2]")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Of a table: the column to predict.  [default: target, label, y or class]")
    ] = None,
    drop: Annotated[str | None, typer.Option(help="Of a table: columns to leave out, commas between them.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression.  [default: classification]")] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Of a folder of images: what to resize them to, such as 32x32, the height first.")
    ] = None,
    final_fit: Annotated[
        int, typer.Option(help="Train the winner so many times more, on all but the test examples.")
    ] = 0,
    save: Annotated[Path | None, typer.Option(help="A new directory that gets the winner's network.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="threads, vmap, sharded, or probe to time them.  [default: by the machine]")
    ] = None,
    devices: Annotated[int | None, typer.Option(help="Devices that share the lanes.")] = None,
    memory: Annotated[float | None, typer.Option(help="GiB of each device that training may use.")] = None,
    horizon: Annotated[str, typer.Option(help="short or long: in how many trials compiling has to pay.")] = "short",
    space: Annotated[Path | None, typer.Option(help="A JSON file with the space to search.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which no further round begins.")] = None,
    train_examples: Annotated[int | None, typer.Option(help="Train on so many examples only.")] = None,
    words: Annotated[
        int | None, typer.Option(help=f"Of a text: how many words get a token.  [default: {_TEXT.words}]")
    ] = None,
    length: Annotated[int | None, typer.Option(help=f"Of a text: how many tokens.  [default: {_TEXT.length}]")] = None,
    keep: Annotated[str | None, typer.Option(help="Of a longer text: its first or last words.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where TFDS data sets lie.  [default: $TFDS_DATA_DIR]")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A new file that gets every finished trial at once, as JSON lines.")
    ] = None,
    profile: Annotated[Path | None, typer.Option(help="A directory that gets a JAX trace.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep compiled programs for the next run.")] = True,
) -> None:
    """Search for the best configuration of a network on a data set."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            if save is not None and os.path.lexists(save):
                raise ValueError(f"--save {str(save)!r} exists already; name a new directory")
            options = Options(
                model=model,
                algorithm=algorithm,
                space=None if space is None else read_space(space),
                trials=trials,
                lanes=lanes,
                epochs=epochs,
                seed=seed,
                metric=metric,
                target=target,
                drop=() if drop is None else tuple(drop.split(",")),
                task=task,
                image_size=None if image_size is None else read_size(image_size),
                final_fit=final_fit,
                engine=engine,
                devices=devices,
                memory=memory,
                horizon=horizon,
                timeout=timeout,
                train_examples=train_examples,
                data_dir=data_dir,
                text=_text_options(words, length, keep),
                output=output,
                profile=profile,
                cache=cache,
            )
            tuning = Tuning(dataset, options)
        except ValueError as error:
            _refuse(str(error))
        code = 0
        try:
            tuning.run()
        except KeyboardInterrupt:
            code = 130
    _report(tuning.study, as_json)
    if code == 0 and (tuning.study.summary["best"] is None or tuning.lost):
        code = 1
    if save is not None and code != 130 and tuning.study.summary["best"] is not None:
        code = _save(tuning.study, save) or code
    raise typer.Exit(code)


def _save(study: Study, directory: Path) -> int:
    """Write the winner's network; return the exit code."""
    try:
        study.best_model().save(directory)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"The winner's network is in {directory}; jaxhpo.load_model reads it.", file=sys.stderr)
    return 0


def _report(study: Study, as_json: bool) -> None:
    summary = study.summary
    if as_json:
        print(json.dumps(plain(summary), allow_nan=False))
        return
    console = Console(highlight=False)
    if summary["best"] is not None:
        console.print(best_table(study))
    for line in closing_lines(summary):
        console.print(line, markup=False, soft_wrap=True)


@data_app.command(name="prepare")
def prepare_data(
    name: Annotated[str, typer.Argument(help="mnist, cifar10 or imdb; others of TFDS need '.[tensorflow]'.")],
    data_dir: Annotated[
        Path | None, typer.Option(help="Where to.  [default: TFDS_DATA_DIR, else ~/tensorflow_datasets]")
    ] = None,
    archives_dir: Annotated[
        Path | None, typer.Option(help="The original archives, where they need not be downloaded.")
    ] = None,
) -> None:
    """Download a data set and prepare it as TFDS does, once."""
    try:
        directory = data.prepare(name, data_dir, archives_dir=archives_dir)
        print(f"{name} is in {directory}")
        if name in data.names():
            print(data.load(name, data_dir=data_dir))  # decoded now, so that the first study need not
    except ValueError as error:
        _refuse(str(error))


@app.command(name="algorithms")
def list_algorithms() -> None:
    """List the search methods."""
    rows = [(name, algorithms.summary(name)) for name in algorithms.names()]
    Console(highlight=False).print(listing("Algorithms", ("name", "what it does"), rows))


@app.command(name="hyperparameters")
def list_hyperparameters() -> None:
    """List what a space may hold."""
    columns, rows = hyperparameters.listing()
    Console(highlight=False).print(listing("Hyperparameters", columns, rows))


@app.command(name="datasets")
def list_datasets() -> None:
    """List the data sets that are known by name."""
    columns, rows = data.listing()
    Console(highlight=False).print(listing("Data sets", columns, rows))


def _text_options(words: int | None, length: int | None, keep: str | None) -> TextOptions | None:
    given = {name: value for name, value in (("words", words), ("length", length), ("keep", keep)) if value is not None}
    return TextOptions(**given) if given else None


def read_size(text: str) -> tuple[int, int]:
    """Return height and width of "32x32"; raise ValueError where it says none."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"--image-size {text!r} must be height and width, such as 32x32")
    return int(parts[0]), int(parts[1])


def read_space(path: Path) -> Space:
    """Return the space in a JSON file; raise ValueError where it holds none."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"--space {str(path)!r} cannot be read: {error.strerror}; name a JSON file") from None
    except ValueError as error:
        raise ValueError(f"--space {str(path)!r} is not JSON: {error}") from None
    try:
        return Space.from_json(content)
    except ValueError as error:
        raise ValueError(f"--space {str(path)!r}: {error}") from None


def _refuse(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(2)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> None:
    """Run the command."""
    app()
