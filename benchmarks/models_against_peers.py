#!/usr/bin/env python
"""seqfer's bundled models and other packages' models on FER-2013's PrivateTest: the README's table.

    python benchmarks/models_against_peers.py --fer2013 fer2013.zip

Models that are not there are named, with what to install; nothing is installed or chosen from here. Some packages
bring an OpenCV that overwrites another's. They are measured in an environment of their own, which needs no more of
what seqfer needs than numpy, OpenCV and rich, and the two runs are printed as one:

    PYTHONPATH=. OTHER/bin/python benchmarks/models_against_peers.py --fer2013 fer2013.zip --save other.json
    python benchmarks/models_against_peers.py --fer2013 fer2013.zip --save here.json
    python benchmarks/models_against_peers.py --join here.json other.json

Every model reads the stills whole, by its package's own path from a grey face to probabilities. For the speed they
take turns with the same faces on the same cores; speeds of two runs compare as far as the machine was as busy.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from peers import Contender, contenders
from rich.console import Console
from rich.table import Table

from seqfer.cli.console import counted, errors_on_one_line, remark_line
from seqfer.datasets.fer2013 import StillSet, load_fer2013
from seqfer.errors import DatasetError, OptionError, OutputError
from seqfer.evaluation.metrics import confusion_matrix
from seqfer.evaluation.stills import ALL, UNLIKE, figures_of, parts_of
from seqfer.evaluation.tables import markdown_table, with_interval
from seqfer.files import write_whole
from seqfer.labels import FER7
from seqfer.machine import usable_cores

FORMAT = 1  # of a saved run
COST = ("parameters", "file", "faces/s")
CONSOLE = Console(width=150, markup=False, highlight=False)


@dataclass(frozen=True)
class Row:
    """What was measured of one model.

    Attributes:
        name, version, parameters, file_bytes, learnt_from: as of `Contender`.
        matrices: for each part of the stills the counts (7, 7), rows are the truth.
        faces_per_s: of each turn.
    """

    name: str
    version: str | None
    parameters: int | None
    file_bytes: int
    learnt_from: str
    matrices: dict[str, list[list[int]]]
    faces_per_s: list[float]


@dataclass(frozen=True)
class Run:
    """What was measured in one environment.

    Attributes:
        stills_sha256: of the stills that were read.
        cores: that the process could use.
        faces: read in each turn at once.
        rows: a model each.
    """

    stills_sha256: str
    cores: int
    faces: int
    rows: list[Row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer2013", type=Path, help="fer2013.csv, class folders, or a zip of them")
    parser.add_argument("--cores", type=int, help="use only so many CPU cores (Linux)")
    parser.add_argument("--faces", type=int, default=256, help="faces that each model reads in a turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--save", type=Path, metavar="RUN.json", help="keep what was measured")
    parser.add_argument("--join", type=Path, nargs="+", metavar="RUN.json", help="print kept runs as one")
    parser.add_argument("--markdown", action="store_true", help="print the table as it stands in the README")
    options = parser.parse_args()
    if options.join:
        runs = [load_run(path) for path in options.join]
        check_same_stills(runs, options.join)
    else:
        if options.fer2013 is None:
            raise OptionError("--fer2013 or --join is needed: what to measure on, or which runs to print")
        if options.faces < 1 or options.turns < 1:
            raise OptionError("--faces and --turns must be at least 1")
        if options.save and not options.save.parent.is_dir():
            raise OutputError(options.save, "is in no folder; make it first, or choose another place")
        if options.cores:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
        data = load_fer2013(options.fer2013)
        runs = [measure(data["test"], data["train"], options.faces, options.turns)]
        if options.save:
            save_run(runs[0], options.save)
    if options.markdown:
        print("\n".join(markdown_of(runs)))
    else:
        print_tables(runs)


def measure(stills: StillSet, train: StillSet, faces: int, turns: int) -> Run:
    """Measure every model that is there, and say of the others what they lack."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")  # those of the packages are not for who reads this
    present = [contender for contender in contenders() if is_ready(contender, stills)]
    if not present:
        raise OptionError("no model is there to be measured")
    parts = parts_of(stills, train)
    if UNLIKE not in parts:
        remark_line("this OpenCV lacks its contrib modules: near repeats are left unmeasured")
    matrices = [counts_of(contender, stills, parts) for contender in present]
    speeds = take_turns(present, stills.images[:faces], turns)
    rows = [
        Row(
            contender.name,
            contender.version,
            contender.parameters,
            contender.file_bytes,
            contender.learnt_from,
            counts,
            speed,
        )
        for contender, counts, speed in zip(present, matrices, speeds, strict=True)
    ]
    return Run(stills.sha256(), usable_cores(), min(faces, len(stills)), rows)


def is_ready(contender: Contender, stills: StillSet) -> bool:
    """Load a model and let it read two faces; one line on stderr where that cannot be."""
    missing = contender.missing()
    if missing:
        remark_line(f"{contender.name}: not here, for lack of {', '.join(missing)}; {contender.install}")
        return False
    try:
        contender.load()
        contender.probabilities(stills.images[:2])
    except Exception as error:  # other people's code, and downloads
        reason = " ".join(str(error).split())[:200]
        remark_line(f"{contender.name}: cannot be loaded ({type(error).__name__}: {reason}); {contender.install}")
        return False
    return True


def counts_of(
    contender: Contender, stills: StillSet, parts: dict[str, NDArray[np.bool_]]
) -> dict[str, list[list[int]]]:
    """Its confusion matrices on each part of the stills."""
    predicted = contender.probabilities(stills.images).argmax(1)
    return {
        name: confusion_matrix(stills.labels[chosen], predicted[chosen], len(FER7)).tolist()
        for name, chosen in parts.items()
        if chosen.any()
    }


def take_turns(present: list[Contender], images: NDArray[np.uint8], turns: int) -> list[list[float]]:
    """Faces per second of each model in each of its turns; all read the same faces one after another."""
    for contender in present:
        contender.probabilities(images)  # the first time some prepare themselves
    speeds: list[list[float]] = [[] for _ in present]
    for _ in range(turns):
        for contender, speed in zip(present, speeds, strict=True):
            start = perf_counter()
            contender.probabilities(images)
            speed.append(len(images) / (perf_counter() - start))
    return speeds


def save_run(run: Run, path: Path) -> None:
    with write_whole(path) as place:
        place.write_text(json.dumps({"format": FORMAT, **asdict(run)}, indent=1) + "\n", encoding="utf-8")


def load_run(path: Path) -> Run:
    """A run that `--save` kept.

    Raises:
        DatasetError: the file is not there, or is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ValueError("of another format")
        run = Run(rows=[Row(**row) for row in document.pop("rows")], **document)
        for row in run.rows:
            shapes = {np.shape(counts) for counts in row.matrices.values()}
            if ALL not in row.matrices or shapes != {(len(FER7), len(FER7))} or not row.faces_per_s:
                raise ValueError(f"{row.name} lacks figures")
        if not run.rows:
            raise ValueError("holds no model")
        return run
    except OSError as error:
        raise DatasetError(path, f"cannot be read ({error.strerror}); give files of --save") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(path, f"is no run of --save ({error})") from error


def check_same_stills(runs: list[Run], paths: list[Path]) -> None:
    for run, path in zip(runs, paths, strict=True):
        if run.stills_sha256 != runs[0].stills_sha256:
            raise DatasetError(path, f"was measured on other stills than {paths[0]}; measure both on one copy")


def named_rows(runs: list[Run]) -> list[tuple[str, Row]]:
    """Every model with its name and version, and the number of its run where there are several."""
    several = len(runs) > 1
    return [
        (f"{row.name} ({row.version})" + (f" [{number}]" if several else ""), row)
        for number, run in enumerate(runs, start=1)
        for row in run.rows
    ]


def print_tables(runs: list[Run]) -> None:
    rows = named_rows(runs)
    table = Table("model", "stills", "n", "accuracy", "UAR", "macro F1")
    table.title = "FER-2013 PrivateTest, 95 % intervals"
    for name, row in rows:
        for part, counts in row.matrices.items():
            figures = figures_of(np.array(counts))
            texts = (with_interval(figures, key) for key in ("accuracy", "uar", "macro_f1"))
            table.add_row(name if part == ALL else "", part, str(figures["n"]), *texts)
        table.add_section()
    CONSOLE.print(table)
    table = Table("model", *COST, "lowest to highest")
    for name, row in rows:
        spread = f"{min(row.faces_per_s):.0f} to {max(row.faces_per_s):.0f}"
        table.add_row(name, *cost_of(row), spread)
    CONSOLE.print(table)
    for line in (*conditions(runs), *(f"{name} learnt from: {row.learnt_from}" for name, row in rows)):
        CONSOLE.print(line)


def markdown_of(runs: list[Run]) -> list[str]:
    """The README's table."""
    lines = []
    for name, row in named_rows(runs):
        figures = {part: figures_of(np.array(counts)) for part, counts in row.matrices.items()}
        texts = [with_interval(figures[ALL], key) for key in ("accuracy", "uar", "macro_f1")]
        unlike = [with_interval(figures[UNLIKE], key) if UNLIKE in figures else "–" for key in ("accuracy", "uar")]
        lines.append([name, *texts, *unlike, *cost_of(row)])
    sums = {part: np.sum(counts) for _, row in named_rows(runs) for part, counts in row.matrices.items()}
    named = {ALL: "", UNLIKE: " unlike any of Training"}
    stills = ", ".join(f"{sums[part]} stills" + text for part, text in named.items() if part in sums)
    head = ["model", "accuracy", "UAR", "macro F1", "accuracy, unlike", "UAR, unlike", *COST]
    return [*markdown_table(head, lines), f"{stills}. " + " ".join(conditions(runs))]


def cost_of(row: Row) -> tuple[str, str, str]:
    """Parameters, size and median speed."""
    parameters = f"{row.parameters / 1e6:.2f} M" if row.parameters else "?"
    size = f"{row.file_bytes / 1e6:.2f} MB" if row.file_bytes else "?"
    return parameters, size, f"{statistics.median(row.faces_per_s):.0f}"


def conditions(runs: list[Run]) -> list[str]:
    """Under which conditions each run measured its speeds."""
    lines = []
    for number, run in enumerate(runs, start=1):
        turns = len(run.rows[0].faces_per_s)
        of_run = f"[{number}] " if len(runs) > 1 else ""
        cores = counted(run.cores, "CPU core")
        lines.append(f"{of_run}faces/s: {run.faces} faces at once, on {cores}, the median of {turns} turns.")
    return lines


if __name__ == "__main__":
    with errors_on_one_line():
        main()
