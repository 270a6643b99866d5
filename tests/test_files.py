from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from seqfer.files import sha256_of, write_whole


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
