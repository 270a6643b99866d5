"""What a protocol's folder was made by, so that it is not taken for what other commands would make."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from seqfer.errors import OptionError, OutputError
from seqfer.files import write_whole
from seqfer.papers.types import Step

RECORD = "commands.json"


class Record:
    """The commands that have made what lies in a protocol's folder, and the settings that a user has changed.

    A step counts as done only if what it makes was made by the same command, after the same commands before it:
    another data set, or one other setting, and nothing of the folder is what was asked for.

    Attributes:
        changes: of settings, as `--set` took them.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OutputError: the folder's record is damaged.
        """
        self._path = folder / RECORD
        self._before: list[str] = []
        self.changes: list[str] = []
        self._made: dict[str, list[str]] = {}
        if not self._path.exists():
            return
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            self.changes, self._made = list(document["changes"]), dict(document["made"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(self._path, f"is damaged; delete the folder ({error})") from error

    def is_done(self, step: Step) -> bool:
        """Whether a step, asked for in the recipe's order, needs no run.

        Raises:
            OptionError: what it makes is there, but was made by other commands.
        """
        if step.repeat:
            return False
        self._before = [*self._before, shlex.join(("seqfer", *step.arguments))]
        if not step.makes.exists():
            return False
        made_by = self._made.get(step.makes.name)
        if made_by != self._before:
            other = next(
                (a for a, b in zip(made_by or [], self._before, strict=False) if a != b), "something else"
            )
            raise OptionError(f"{step.makes}: was made by {other}; choose another folder, or delete this one")
        return True

    def remember(self, step: Step, changes: Sequence[str]) -> None:
        """Note that a step is about to run, with these settings changed, and make its folder.

        Raises:
            OutputError: the folder cannot be written.
        """
        if not step.repeat:
            self._made[step.makes.name] = self._before
            # Not a training's: one that is refused, as it was begun with others, leaves its rows as they are.
            self.changes = list(changes)
        self._write(step.makes.parent)

    def finish(self, changes: Sequence[str]) -> None:
        """Note that all steps have run, with these settings changed."""
        self.changes = list(changes)
        self._write(self._path.parent)

    def _write(self, folder: Path) -> None:
        document = json.dumps({"changes": self.changes, "made": self._made}, indent=2)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with write_whole(self._path) as place:
                place.write_text(document + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(self._path, f"cannot be written ({error.strerror})") from error
