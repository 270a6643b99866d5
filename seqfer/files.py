"""Writing files so that nothing half-written ever stands under its final name."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """A place to write to; it becomes `path` when the block ends well, and vanishes when it does not.

    The place lies in the same folder (a rename within a folder is atomic) and keeps the suffix, by which
    writers know their format.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def printable(path: Path) -> str:
    """A path's name as text that every terminal, font and document can take, whatever bytes it is made of."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def sha256_of(path: Path, stop: threading.Event | None = None) -> str:
    """SHA-256 of a file's content as 64 hexadecimal digits, in bounded memory.

    Args:
        path: the file.
        stop: when it is set, the rest of the file is left unread and the digest means nothing.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while (block := file.read(1 << 20)) and not (stop and stop.is_set()):
            digest.update(block)
    return digest.hexdigest()
