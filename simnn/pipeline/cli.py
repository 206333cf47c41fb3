"""The command ``simnn``: ask about the machine, call a model once, run one stage of the flow."""

import json
import logging
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from simnn import __version__
from simnn.pipeline import config
from simnn.pipeline.store import DamagedFileError

_PATH = click.Path(path_type=pathlib.Path)


class _UserError(click.ClickException):
    exit_code = 2


class _Group(click.Group):
    """Turns errors that a user can mend into one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, TypeError, KeyError, OSError, MemoryError, DamagedFileError) as error:
            if os.environ.get("SIMNN_TRACEBACK"):
                raise
            text = f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise _UserError(" ".join(text.split())) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simnn")
def main() -> None:
    """Simulations that answer "why do neural networks work?", next to their theory."""
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("simnn").setLevel(logging.INFO)


@main.command()
def info() -> None:
    """Versions, threads, GPUs and the kernel cache."""
    from importlib import metadata

    from simnn.pipeline import provenance

    click.echo(f"simnn {__version__} (git {provenance.git_revision()})")
    click.echo(
        f"python {sys.version.split()[0]}, {', '.join(f'{n} {metadata.version(n)}' for n in provenance.PACKAGES)}"
    )
    from simnn.device.targets import cache_folder, threads

    click.echo(f"processor {provenance.processor()}")
    click.echo(f"threads {threads()} (NUMBA_NUM_THREADS)")
    for line in _gpus():
        click.echo(line)
    click.echo(f"kernel cache {cache_folder()}")


def _gpus() -> list[str]:
    """What can be said of GPUs without failing: the package, the driver, the devices, whether a kernel runs."""
    from simnn.device import gpu

    lines = [f"cuda {', '.join(gpu.versions()) or 'no package: install simnn[cuda]'}"]
    if missing := gpu.missing():
        return [*lines, f"gpu none: {missing}"]
    for device in gpu.devices():
        major, minor = device.capability
        lines.append(
            f"gpu cuda:{device.index} {device.name}, compute capability {major}.{minor}, "
            f"{device.memory / 2**30:.1f} GiB free, {gpu.trial(device.index)}"
        )
    return lines


class _Models(click.Group):
    """One subcommand for each model, its options read from the model's parameters."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["capacity", "olfaction", "propagation"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        import importlib

        parameters = importlib.import_module(f"simnn.{name}.model").PARAMETERS
        options: list[click.Parameter] = [
            click.Option([f"--{parameter.replace('_', '-')}"], help="One value, or several joined by commas.")
            for parameter in parameters
        ]
        options.append(click.Option(["-o", "--output"], type=_PATH, required=True, help="netCDF file to write."))
        return click.Command(name, params=options, callback=_simulate_callback(name), help=f"Simulate {name} once.")


def _simulate_callback(model: str) -> Callable[..., None]:
    def callback(output: pathlib.Path, **options: str | None) -> None:
        import importlib

        from simnn.pipeline import provenance, store

        given = {name: _value(text) for name, text in options.items() if text is not None}
        checked = importlib.import_module(f"simnn.{model}.model").validate(given)
        dataset = importlib.import_module(f"simnn.{model}").simulate(**checked)
        parameters = json.loads(dataset.attrs["parameters"])
        job = {"study": "none", "model": model, "parameters": parameters}
        dataset.attrs = provenance.attributes(dataset.attrs["title"], job, [dataset.attrs])
        store.write(dataset, output)
        click.echo(str(dataset))

    return callback


def _value(text: str) -> Any:
    """``"1,2"`` is a list; numbers, truth values and ``none`` are what they look like."""
    if "," in text:
        return [_value(part) for part in text.split(",") if part]
    word = text.strip()
    special = {"true": True, "false": False, "none": None}
    if word.lower() in special:
        return special[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


@main.command(cls=_Models)
def simulate() -> None:
    """Call one model and write its dataset: simnn simulate propagation --sigma-w 1,2 -o file.nc."""


@main.group("config")
def config_group() -> None:
    """Look after config.yaml."""


@config_group.command()
@click.argument("file", type=_PATH, default="config.yaml")
def check(file: pathlib.Path) -> None:
    """Validate FILE and say how many jobs it makes."""
    from simnn.pipeline import cells

    for study, block in config.parse(config.load(file)).items():
        click.echo(f"{study}: {len(cells.split(study, block))} jobs")


@config_group.command("schema")
def print_schema() -> None:
    """Print the JSON schema for editors."""
    click.echo(config.schema(), nl=False)


def _stage(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], click.Command]:
    """A command of the flow: the options that all share, and its own."""

    def decorate(function: Callable[..., None]) -> click.Command:
        decorated: Any = function
        for option in reversed(options):
            decorated = option(decorated)
        return main.command()(decorated)

    return decorate


_SPECIFICATION = click.option("--parameters", required=True, help="JSON of the job, as the flow prints it.")
_STUDY = click.option("--study", required=True, help="Name of the study.")
_OUTPUT = click.option("-o", "--output", type=_PATH, required=True)
_DATASET = click.option("--dataset", type=_PATH, required=True, help="Gathered netCDF file.")


@_stage(_SPECIFICATION, _OUTPUT)
def cell(parameters: str, output: pathlib.Path) -> None:
    """Simulate one cell of a study."""
    from simnn.pipeline import stages

    stages.cell(parameters, output)


@_stage(_STUDY, _SPECIFICATION, click.option("--folder", type=_PATH, required=True), _OUTPUT)
def gather(study: str, parameters: str, folder: pathlib.Path, output: pathlib.Path) -> None:
    """Join the cells of a study and add its theory."""
    from simnn.pipeline import stages

    stages.gather(study, json.loads(parameters), folder, output)


@_stage(_STUDY, _SPECIFICATION, _DATASET, _OUTPUT)
def figure(study: str, parameters: str, dataset: pathlib.Path, output: pathlib.Path) -> None:
    """Draw the figure of a study (PDF and PNG beside each other)."""
    from simnn.pipeline import stages

    stages.figure(study, json.loads(parameters), dataset, output.with_suffix(""))


@_stage(_STUDY, _SPECIFICATION, _DATASET, _OUTPUT)
def claims(study: str, parameters: str, dataset: pathlib.Path, output: pathlib.Path) -> None:
    """Write the claims of a study."""
    from simnn.pipeline import stages

    stages.claims(study, json.loads(parameters), dataset, output)


@_stage(
    click.argument("inputs", type=_PATH, nargs=-1, required=True),
    click.option("--table", type=_PATH, required=True),
    click.option("--readable", type=_PATH, required=True),
)
def ledger(inputs: Sequence[pathlib.Path], table: pathlib.Path, readable: pathlib.Path) -> None:
    """Join the claims of all studies."""
    from simnn.pipeline import stages

    stages.ledger(inputs, table, readable)


@_stage(_SPECIFICATION, click.option("--results", type=_PATH, required=True), _OUTPUT)
def report(parameters: str, results: pathlib.Path, output: pathlib.Path) -> None:
    """Write one page with all figures and claims."""
    from simnn.pipeline import stages

    stages.report(json.loads(parameters), results, output)


@main.command()
@click.option("--config", "file", type=_PATH, default="config.yaml", show_default=True)
@click.option("--results", type=_PATH, default="results", show_default=True)
@click.option("-o", "--output", type=_PATH, default="docs/gallery.md", show_default=True)
def gallery(file: pathlib.Path, results: pathlib.Path, output: pathlib.Path) -> None:
    """Copy the figures with their captions and claims into the documentation."""
    from simnn.pipeline import stages

    stages.gallery(config.parse(config.load(file)), results, output)


@main.command()
@click.option("--config", "file", type=_PATH, default="config.yaml", show_default=True)
@click.option("--data", type=_PATH, default="results/data", show_default=True)
@click.option("--dry-run", is_flag=True, help="Only list them.")
def prune(file: pathlib.Path, data: pathlib.Path, dry_run: bool) -> None:
    """Remove cells that the configuration does not name any more."""
    from simnn.pipeline import stages

    for path in stages.prune(config.parse(config.load(file)), data, dry_run):
        click.echo(str(path))
