"""What every command shares: where it prints, and how an expected error ends it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from seqfer.errors import SeqferError

if TYPE_CHECKING:
    from rich.table import Table

# No markup and no emoji codes: names of files and labels may hold brackets and colons.
out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
if not out.is_terminal:
    out.width = 1000  # a file's lines end nowhere: tables get the room that they need


def say(text: str = "") -> None:
    """A line on stdout, as it is: names may hold bytes that are no text."""
    out.print(text.encode("utf-8", "replace").decode())


def as_typed(arguments: Sequence[str]) -> str:
    """Arguments of a command as this system's shell takes them."""
    return subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)


def counted(number: int, noun: str) -> str:
    """A number and its noun, as "1 frame" or "2 frames"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def plain_table(*columns: str) -> Table:
    """An empty table; ruled on a terminal, bare columns elsewhere."""
    from rich.table import Table

    table = Table(*columns)
    if not out.is_terminal:
        table.box = None
    return table


def error_line(error: Exception) -> None:
    """One line on stderr for what went wrong."""
    print("error: " + " ".join(str(error).split()), file=sys.stderr, flush=True)


@contextmanager
def errors_on_one_line() -> Iterator[None]:
    """End the program at an expected error with one line on stderr and exit code 1."""
    try:
        yield
    except SeqferError as error:
        error_line(error)
        sys.exit(1)


def remark_line(text: str) -> None:
    """One line on stderr for what a user should know but need not act on."""
    print("note: " + text, file=sys.stderr, flush=True)


def remark_left_out(left_out: Mapping[str, str]) -> None:
    """One line on stderr for each clip that is not in a cache, with the reason."""
    for clip_id, why in left_out.items():
        remark_line(f"{clip_id}: {why}; left out")


@contextmanager
def progress(description: str, unit: str = "frames") -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr with the units done, speed and time left; nothing where that is no terminal.

    Gives a function to call with the units done and their expected total, None while it is not known.
    """
    if not err.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "", style="cyan")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(f"{{task.completed:.0f}}{{task.fields[of]}} {unit}"),
        Speed(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, refresh_per_second=8) as bars:
        bar = bars.add_task(description, total=None, of="")

        def advance(done: int, total: int | None) -> None:
            bars.update(bar, completed=done, total=total, of=f"/{total}" if total else "")

        yield advance
