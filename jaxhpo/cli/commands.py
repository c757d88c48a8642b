"""The command `jaxhpo`: tune, and list what there is.

Bad input ends with one line on standard error and exit code 2; a study without a success, or one whose output file
was lost, with 1; Ctrl-C with 130, after showing what had finished.
"""

import json
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

import jaxhpo
from jaxhpo import algorithms, data
from jaxhpo.cli.help import OUTPUT, GroupedCommand
from jaxhpo.cli.options import add_options, read_options
from jaxhpo.cli.terminal import complain, flush_or_refuse, plain_warnings, quiet_libraries
from jaxhpo.errors import first_line, printable
from jaxhpo.report.console import best_table, closing_lines, listing
from jaxhpo.study import Study
from jaxhpo.study.journal import plain
from jaxhpo.training.config import hyperparameters
from jaxhpo.training.trained.saving import save_models
from jaxhpo.tuning import TrainingStudy, Tuning

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


_EXAMPLES = """jaxhpo tune digits
jaxhpo tune prices.csv --target price --task regression --drop id,notes
jaxhpo tune photos/ --image-size 64x64 --trials 32 --save model
jaxhpo tune digits --space space.json --timeout 10m --output trials.jsonl"""


@app.command(cls=GroupedCommand, epilog=_EXAMPLES, short_help="Search for a network's best configuration.")
@add_options
def tune(
    dataset: Annotated[
        str, typer.Argument(help="What to train on: see `jaxhpo datasets`; or a .csv, .parquet, .npz, image folder.")
    ],
    save: Annotated[
        Path | None, typer.Option(help="A new directory that gets winner and ensemble.", rich_help_panel=OUTPUT)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=OUTPUT)
    ] = False,
    details: Annotated[
        bool,
        typer.Option(
            "--details",
            help="Show how the agent explores, and what was computed and where, too.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    **given: Any,
) -> None:
    """Search for the best configuration of a network on a data set."""
    with plain_warnings(given, given):
        try:
            if save is not None and os.path.lexists(save):
                raise ValueError(f"--save {str(save)!r} exists already; name a new directory")
            tuning = Tuning(*read_options(dataset, given))
        except ValueError as error:
            _refuse(str(error), given, given)
        except (MemoryError, RuntimeError) as error:  # XLA's, such as a device that is not there
            _say_lacking(error, details)
            raise typer.Exit(1) from None
        code = 0
        try:
            tuning.run(verbose=not as_json, details=details)
        except KeyboardInterrupt:
            code = 130
        except (MemoryError, RuntimeError) as error:  # what has finished is shown
            _say_lacking(error, details)
            code = 1
    _report(tuning.study, as_json, details)
    if code == 0 and (tuning.study.summary["best"] is None or tuning.lost):
        code = 1
    if save is not None and code != 130 and tuning.study.summary["best"] is not None:
        code = _save(tuning.study, save) or code
    raise typer.Exit(code)


def _save(study: Study, directory: Path) -> int:
    """Write the winner and the ensemble; return the exit code."""
    assert isinstance(study, TrainingStudy)  # the command tunes no functions
    recommended = study.summary.get("recommended", "winner")  # a search that was broken off has compared nothing
    try:
        models = {"winner": study.best_model()}
        if study.summary.get("ensemble") is not None:
            models["ensemble"] = study.ensemble()
        save_models(directory, models, recommended=recommended)
    except ValueError as error:
        complain("error", str(error).replace("save: ", "--save ", 1))
        return 1
    said = f"{' and '.join(models)} are in" if len(models) > 1 else "winner is in"
    said = f"{said} {str(directory)!r}; jaxhpo.load_model reads the recommended one, {recommended}."
    said = f"{said[0].upper()}{said[1:]}"
    print(printable(said), file=sys.stderr)
    return 0


def _report(study: Study, as_json: bool, details: bool) -> None:
    summary = study.summary
    if as_json:
        print(json.dumps(plain(summary), allow_nan=False))
        return
    console = Console(highlight=False)
    if summary["best"] is not None:
        console.print(best_table(study))
    for line in closing_lines(summary, details=details):
        console.print(printable(line), markup=False, soft_wrap=True)


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
    options = ("data_dir", "archives_dir")
    with plain_warnings(options):
        try:
            directory = data.prepare(name, data_dir, archives_dir=archives_dir)
            print(printable(f"{name!r} is in {str(directory)!r}"))
            if name in data.names():
                print(data.load(name, data_dir=data_dir))  # decoded now, so that the first study need not
        except ValueError as error:
            _refuse(str(error), options)


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


def _refuse(message: str, names: Collection[str], given: dict[str, Any] | None = None) -> NoReturn:
    complain("error", message, names, given)
    raise typer.Exit(2)


def _say_lacking(error: BaseException, details: bool) -> None:
    """Say in one line what the machine did not give; raise it where details are wanted."""
    if details:
        raise error
    complain("error", f"{type(error).__name__}: {first_line(error, 500)}; --details shows where")


def main() -> None:
    """Run the command."""
    quiet_libraries()
    code: Any = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    except OSError as error:  # of what has no name: standard output
        what = "standard output cannot be written" if error.filename is None else repr(error.filename)
        complain("error", f"{what}: {error.strerror}")
        code = 1
    sys.exit(flush_or_refuse() or code)
