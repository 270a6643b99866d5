"""What can go wrong for a user, one class per cause.

Every message is one line that says what was wrong, with which file or key, and what to do.
"""

from __future__ import annotations

from pathlib import Path

NO_FILE = "no such file or folder"


class SeqferError(Exception):
    """Root of every error that seqfer raises on purpose."""


class _PathError(SeqferError):
    def __init__(self, path: str | Path, problem: str) -> None:
        self.path = Path(path)
        self.problem = problem
        super().__init__(f"{path}: {problem}")

    def __reduce__(self) -> tuple[type[_PathError], tuple[Path, str]]:
        return type(self), (self.path, self.problem)  # on its way here from another process


class VideoError(_PathError):
    """A video, image or folder of frames cannot be read or written."""


class ModelError(SeqferError):
    """A model is unknown, or its folder is incomplete, malformed or inconsistent."""


class DatasetError(_PathError):
    """A data set on disk does not have the layout it should have."""


class OutputError(_PathError):
    """A result cannot be written where it should go."""


class OptionError(SeqferError):
    """An option or argument has a value that cannot be used."""


def one_line(error: BaseException) -> str:
    """What another library's error says, without line breaks, and cut off where it goes on for long."""
    return " ".join(str(error).split())[:200]
