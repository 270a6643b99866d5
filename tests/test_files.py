from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from seqfer.errors import OutputError
from seqfer.files import check_file, check_output, output_folder, sha256_of, write_whole


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


def test_the_current_folder_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    check_output(Path(), overwrite=False)
    with output_folder(Path(), overwrite=False, own=()) as place:
        (place / "a.txt").write_text("a")
    assert [path.name for path in Path().iterdir()] == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
