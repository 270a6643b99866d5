"""`seqfer sweep`: settings and a grid of values in, a run for each cell and a table of them all out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import as_typed, error_line, out, plain_table, progress, remark_left_out, remark_line, say
from seqfer.cli.following import follow
from seqfer.cli.reading import Cache, Data, Device
from seqfer.cli.train import Resume, Set
from seqfer.errors import ModelError, OptionError

if TYPE_CHECKING:
    from seqfer.training.loop import Trainer
    from seqfer.training.sweep_results import Outcome, Results

Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid", metavar="KEY=V,V", help="Values of a setting: --grid optimizer.rate=0.1,0.01 --grid epochs=5,10"
    ),
]


def sweep(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file of settings or of a sweep, or the name of one of ours.",
            show_default=False,
        ),
    ],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for runs and tables.")],
    set_: Set = None,
    grid: Grid = None,
    resume: Resume = False,
    cache: Cache = None,
    device: Device = "auto",
) -> None:
    """Train on every combination of some settings' values, and compare the runs on the split `validation`.

    OUT gets a run for each combination, and sweep.csv, table.md and sweep.png. The first key's values become the
    table's columns, the others' its rows. A sweep's file has `config`, `set` and `grid`; options win over it.
    """
    from seqfer.datasets.manifest import read_manifest
    from seqfer.files import output_folder
    from seqfer.models.inference import choose_device
    from seqfer.training.sweep import read_sweep
    from seqfer.training.sweep_results import OWN_FILES, Results, write_results
    from seqfer.training.sweep_run import check_sweep, open_cell, open_cells

    plan = read_sweep(config, set_ or (), grid or ())
    own = choose_device(device)
    manifest = read_manifest(data)
    # What cannot go well is said before hours are spent.
    check_sweep(plan, manifest.records, output, cache, resume)
    with progress("preparing", "clips") as advance:
        opened = open_cells(plan, data, cache, advance)
    for packed, _ in opened.values():
        remark_left_out(packed.left_out)
    results = Results(plan, data.name, manifest.leaky)
    for number, cell in enumerate(plan.cells, 1):
        outcome, trained = _run(
            partial(open_cell, cell, opened, data, output, own), f"{number}/{len(plan.cells)} {cell.name}: "
        )
        results.outcomes[cell.name] = outcome
        if trained or number == len(plan.cells):
            # After each, so that whoever looks in meanwhile finds the table so far.
            with output_folder(output, True, OWN_FILES) as folder:
                write_results(results, folder)
    _say_results(results, data, output, cache)
    if any(outcome.failed for outcome in results.outcomes.values()):
        raise typer.Exit(1)


def _run(open_trainer: Callable[[], Trainer], title: str) -> tuple[Outcome, bool]:
    """What becomes of a cell, and whether anything was left to do; a run that fails leaves the others alone."""
    import torch

    from seqfer.training.sweep_results import Outcome

    failed, finished, trainer = "", False, None
    try:
        trainer = open_trainer()
        finished = trainer.finished
        if finished:
            say(f"{title}done already")
        elif trainer.history:
            say(f"{title}{len(trainer.history)} of {trainer.config.epochs} epochs are done; going on")
        follow(trainer, title)
    except (ModelError, OptionError) as error:
        failed = str(error)
    except torch.cuda.OutOfMemoryError:
        failed = f"{title}the device has too little memory; lower batch_size"
    if failed:
        error_line(ModelError(failed))
    return Outcome(tuple(trainer.history) if trainer else (), failed), not finished


def _say_results(results: Results, data: Path, output: Path, cache: Path | None) -> None:
    from seqfer.training.sweep_results import NAMES, caption, layout, listing

    if len(results.sweep.keys) > 1:
        groups, rows = layout(results)
        *others, last = (f"\n{key}" for key in results.sweep.keys[1:])
        columns = [name for value in groups for name in (f"{value}\naccuracy", "\nloss")]
        table = plain_table(*others, f"{results.sweep.keys[0]}:{last}", *columns)
    else:
        names, rows = listing(results)
        table = plain_table(*names)
    for row in rows:
        table.add_row(*row)
    out.print(table)
    say(caption(results))
    if results.leaky:
        remark_line(f"these figures are too good: {results.leaky}")
    failed = [name for name, outcome in results.outcomes.items() if outcome.failed]
    if failed:
        say(f"{len(failed)} of {len(results.sweep.cells)} cells failed: {' '.join(failed)}")
    if best := results.best:
        say(f"* best cell by {NAMES[results.chooses]}: {best.name}; to measure it, once:")
        where = ["--cache", str(cache)] if cache else []
        whole = output if output.name else output.absolute()  # "." has no name
        options = [
            "--data",
            str(data),
            "--split",
            "test",
            *where,
            "-o",
            str(whole.with_name(f"{whole.name}-test")),
        ]
        say(f"  seqfer evaluate {as_typed([str(output / best.name / 'best'), *options])}")
    say(f"-> {output}")
