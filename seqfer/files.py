"""Writing files so that nothing half-written ever stands under its final name."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from seqfer.errors import OutputError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PARTIAL = ".partial"  # in the hidden names of what is not whole yet
PAUSES_S = (0.1, 0.3, 1.0, 2.0)  # between tries to replace a file
LOCK = ".lock"  # in a folder that one process at a time works in


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """A place to write to; it becomes `path` when the block ends well, and vanishes when it does not.

    The place lies in the same folder (a rename within a folder is atomic) and keeps the suffix, by which
    writers know their format.

    Raises:
        OutputError: the file cannot be written; what goes wrong with files in the block counts as that.
    """
    partial = partial_of(path)
    try:
        yield partial
        _put(partial, path)
    except OSError as error:
        raise OutputError(path, f"cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):  # as where what should be its folder is a file
            partial.unlink()


def partial_of(path: Path) -> Path:
    """Where `write_whole` writes until a file is whole; there, too, lies what a killed process left."""
    return path.with_name(f".{path.stem}{PARTIAL}{path.suffix}")


def _put(new: Path, path: Path) -> None:
    """Give a whole file its name.

    On Windows nobody can replace a file that another program holds open. Virus scanners let go of it soon; where
    a spreadsheet does not, what took long to make stays under a name beside it.
    """
    for pause_s in PAUSES_S:
        try:
            new.replace(path)
            return
        except PermissionError:
            time.sleep(pause_s)
    kept = path.with_name(f"{path.stem}-new{path.suffix}")
    new.replace(kept)
    raise OutputError(path, f"cannot be replaced (is it open in another program?); the new one is {kept.name}")


def check_output(folder: Path, overwrite: bool) -> None:
    """Raise OutputError if `folder` must not or cannot be written; makes its parents."""
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(folder, "is a file, not a folder; choose another output folder")
        there = list(folder.iterdir()) if folder.is_dir() else []
        if not overwrite and not all(path.name.startswith(PARTIAL) for path in there):
            raise OutputError(folder, "exists already; use --overwrite (overwrite=True) to replace its results")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=PARTIAL, dir=_partial(folder).parent):  # hidden, should it outlive a kill
            pass
    except OSError as error:
        raise OutputError(folder, f"cannot be written ({error.strerror}); choose another folder") from error


def check_file(path: Path, overwrite: bool) -> None:
    """Raise OutputError if a file must not or cannot be written; makes the folders above it."""
    try:
        if path.is_dir():
            raise OutputError(path, "is a folder; name a file in it")
        if path.exists() and not path.is_file():
            raise OutputError(path, "is no file that can be replaced; name another one")
        if path.exists() and not overwrite:
            raise OutputError(path, "exists already; use --overwrite to replace it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(prefix=PARTIAL, dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(path, f"cannot be written ({error.strerror}); choose another place") from error


@contextmanager
def output_folder(folder: Path, overwrite: bool, own: Iterable[str]) -> Iterator[Path]:
    """A hidden folder to write results to; they move to `folder` when the block ends well.

    Until then no result in `folder` changes; the hidden one lies in it, or beside it where it is yet to be made.

    Args:
        folder: where the results go.
        overwrite: whether they may replace what is there.
        own: names of all files that such results may have; those of an earlier run that this one does not make
            again are removed with the move.

    Raises:
        OutputError: the folder must not or cannot be written, or another run is writing to it.
    """
    check_output(folder, overwrite)
    partial = _partial(folder)
    lock = _claim(partial, folder)
    try:
        yield partial
        made = {file.name for file in partial.iterdir()} - {LOCK}
        if folder.is_dir():
            there = sorted(name for name in made if (folder / name).exists())
            if there and not overwrite:
                raise OutputError(
                    folder / there[0], "has come to be meanwhile, by another run; choose another folder"
                )
            held: OutputError | None = None
            for name in sorted(made):
                try:
                    _put(partial / name, folder / name)
                except OutputError as error:
                    held = error
            for name in set(own) - made:
                (folder / name).unlink(missing_ok=True)
            if held is not None:
                raise held
        else:
            lock.release()
            (partial / LOCK).unlink(missing_ok=True)
            partial.rename(folder)
    except OSError as error:
        raise OutputError(folder, f"cannot be written ({error.strerror})") from error
    finally:
        lock.release()
        shutil.rmtree(partial, ignore_errors=True)


def _claim(partial: Path, folder: Path) -> BaseFileLock:
    """Make the hidden folder of a run anew, unless another one that still runs works in it."""
    try:
        if partial.is_dir():
            _lock(partial, 0).release()
            shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
        partial.mkdir()
        return _lock(partial, 0)
    except (TimeoutError, FileExistsError) as error:
        raise OutputError(folder, "is being written by another run; wait for it, or choose another") from error
    except OSError as error:
        raise OutputError(folder, f"cannot be written ({error.strerror})") from error


def _lock(folder: Path, patience_s: float = -1) -> BaseFileLock:
    """The lock of a folder, taken where the file system knows locks; some on networks do not.

    Raises:
        TimeoutError: another process holds it for longer than that; none is too long if it is negative.
    """
    from filelock import FileLock

    # A lock file alone, which filelock would fall back to, stays when its owner is killed on another machine.
    lock = FileLock(folder / LOCK, fallback_to_soft=False)
    try:
        lock.acquire(timeout=patience_s)
    except TimeoutError:
        raise
    except (NotImplementedError, OSError):
        pass
    return lock


def _partial(folder: Path) -> Path:
    folder = folder.absolute()  # "." has no name
    # In a folder that is there: it may be a mount, and the one above it lie on another disk.
    return folder / PARTIAL if folder.is_dir() else folder.with_name(f".{folder.name}{PARTIAL}")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process works in an existing folder, and let none in until the block ends.

    The file of the lock stays: a process that waits for it would hold one that is no longer there.
    """
    lock = _lock(folder)
    try:
        yield
    finally:
        lock.release()


def path_from(folder: Path, path: Path) -> Path:
    """A path as seen from a folder; the absolute one where the two lie on different drives of Windows."""
    try:
        return Path(os.path.relpath(path.absolute(), folder))
    except ValueError:
        return path.absolute()


def printable(path: Path) -> str:
    """A path's name as text that every terminal, font and document can take, whatever bytes it is made of."""
    return os.fsencode(path.name or path.resolve().name).decode("utf-8", "replace")


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
