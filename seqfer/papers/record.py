"""Which command made what lies in a protocol's folder, so that it is not taken for what another one would make."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from seqfer.errors import OptionError, OutputError
from seqfer.files import write_whole
from seqfer.papers.types import Step

COMMANDS = "commands.json"


def is_done(step: Step, folder: Path) -> bool:
    """Whether a step needs no run: what it makes is there, and made by the same command.

    Raises:
        OptionError: another command has made it.
    """
    if step.repeat or not step.makes.exists():
        return False
    made_by = _commands(folder).get(step.makes.name)
    if made_by != list(step.arguments):
        told = f"seqfer {shlex.join(made_by)}" if made_by else "something else"
        raise OptionError(f"{step.makes}: was made by {told}; delete it, or choose another folder")
    return True


def remember(step: Step, folder: Path) -> None:
    """Note a step's command."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = {**_commands(folder), step.makes.name: list(step.arguments)}
    with write_whole(folder / COMMANDS) as place:
        place.write_text(json.dumps(commands, indent=2) + "\n", encoding="utf-8")


def _commands(folder: Path) -> dict[str, list[str]]:
    path = folder / COMMANDS
    if not path.exists():
        return {}
    try:
        commands: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(path, f"cannot be read ({error})") from error
    return commands
