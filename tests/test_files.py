from __future__ import annotations

import errno
import hashlib
import os
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from tempfile import mkdtemp

import pytest

from seqfer import files
from seqfer.errors import OutputError
from seqfer.files import alone_in, check_file, check_output, output_folder, sha256_of, write_whole


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    with write_whole(path) as place:
        place.write_text("half")
        assert place.suffix == ".csv"
        assert not path.exists()
    assert path.read_text() == "half"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "result.csv"
    path.write_text("old")

    def break_off() -> None:
        with write_whole(path) as place:
            place.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_program_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows has it, and here for two tries."""
    replace, held = Path.replace, [1, 2]

    def guarded(self: Path, target: Path) -> Path:
        if held:
            raise PermissionError(errno.EACCES, "used by another process", str(held.pop()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", guarded)
    monkeypatch.setattr(files, "PAUSES_S", (0.0, 0.0, 0.0))
    with write_whole(tmp_path / "result.csv") as place:
        place.write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("whole_folder", [False, True])
def test_what_cannot_replace_a_held_file_stays_beside_it(
    whole_folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "held.csv").write_text("old")
    (tmp_path / "other.csv").write_text("old")
    replace = Path.replace

    def guarded(self: Path, target: Path) -> Path:
        if target.name == "held.csv":
            raise PermissionError(errno.EACCES, "used by another process")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", guarded)
    monkeypatch.setattr(files, "PAUSES_S", (0.0, 0.0))

    def write() -> None:
        if whole_folder:
            with output_folder(tmp_path, True, ()) as folder:
                (folder / "held.csv").write_text("new")
                (folder / "other.csv").write_text("new")
        else:
            with write_whole(tmp_path / "held.csv") as place:
                place.write_text("new")

    with pytest.raises(OutputError, match=r"held\.csv: cannot be replaced .* the new one is held-new\.csv"):
        write()
    other = "new" if whole_folder else "old"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "held.csv": "old",
        "held-new.csv": "new",
        "other.csv": other,
    }


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    full = pytest.raises(OutputError, match=r"a\.csv: cannot be written \(No space left on device\)")
    with full, write_whole(tmp_path / "a.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_looking_whether_there_is_room_disturbs_nobody_who_writes(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out", False, ()) as folder:
        (folder / "a.csv").write_text("whole")
        check_output(tmp_path / "out", overwrite=False)
    assert (tmp_path / "out" / "a.csv").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_killed_while_it_looks_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "TemporaryDirectory", lambda **where: nullcontext(mkdtemp(**where)))
    out = tmp_path / "out"
    out.mkdir()
    check_output(out, overwrite=False)
    left = [path.name for path in out.iterdir()]
    assert left
    assert all(name.startswith(".") for name in left)
    monkeypatch.undo()
    check_output(out, overwrite=False)


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_may_be_written_where_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "old.png").touch()
    check_file(tmp_path / "new" / "picture.png", overwrite=False)
    check_file(tmp_path / "old.png", overwrite=True)
    assert {path.name for path in tmp_path.rglob("*")} == {"new", "old.png"}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("folder", "is a folder"),
        ("old.png", "exists already; use --overwrite"),
        ("old.png/a.png", "cannot be written"),
    ],
)
def test_a_file_that_must_not_or_cannot_be_written(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "old.png").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=problem):
        check_file(tmp_path / name, overwrite=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="no file that can be replaced"):
        check_file(tmp_path / "pipe", overwrite=True)


def test_results_reach_a_folder_on_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mount"
    folder.mkdir()
    replace = Path.replace

    def within_a_disk(path: Path, target: Path) -> Path:
        if (folder in path.parents) != (folder in target.parents):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", within_a_disk)
    with output_folder(folder, overwrite=False, own=()) as place:
        (place / "a.txt").write_text("a")
        check_output(folder, overwrite=False)  # what is not whole yet is no result
        place.mkdir(exist_ok=True)
        (place / "a.txt").write_text("a")
    assert [path.name for path in folder.iterdir()] == ["a.txt"]


def test_results_that_came_meanwhile_are_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    def both() -> None:
        with output_folder(folder, False, ()) as place:
            (place / "a.txt").write_text("mine")
            folder.mkdir()
            (folder / "a.txt").write_text("another run's")

    with pytest.raises(OutputError, match=r"a\.txt: has come to be meanwhile"):
        both()
    assert (folder / "a.txt").read_text() == "another run's"
    assert list(tmp_path.iterdir()) == [folder]
    (folder / "a.txt").unlink()
    with output_folder(folder, False, ()) as place:
        (place / "a.txt").write_text("mine")
        (folder / ".DS_Store").touch()  # what is no result bars none
    assert (folder / "a.txt").read_text() == "mine"


def test_only_one_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    told: list[str] = []

    def other() -> None:
        with alone_in(tmp_path):
            told.append("other")

    with alone_in(tmp_path):
        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join(0.2)
        told.append("first")
    waiting.join()
    assert told == ["first", "other"]


def test_the_current_folder_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    check_output(Path(), overwrite=False)
    with output_folder(Path(), overwrite=False, own=()) as place:
        (place / "a.txt").write_text("a")
    assert [path.name for path in Path().iterdir()] == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("there", [False, True])
def test_two_runs_do_not_write_to_one_output_at_once(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    if there:
        folder.mkdir()

    def second() -> None:
        with output_folder(folder, False, ()) as place:
            (place / "b.txt").write_text("second")

    with output_folder(folder, False, ()) as place:
        (place / "a.txt").write_text("first")
        with pytest.raises(OutputError, match="is being written by another run"):
            second()
        (place / "c.txt").write_text("first")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.txt": "first", "c.txt": "first"}
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / ".lock").touch()
    (left / "half.txt").touch()
    with output_folder(tmp_path / "out", False, ()) as place:
        (place / "a.txt").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
