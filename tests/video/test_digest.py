from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from PIL import Image

from seqfer.errors import VideoError
from seqfer.video.digest import digest_of


def pictures(folder: Path, *values: int) -> Path:
    folder.mkdir()
    for number, value in enumerate(values):
        Image.new("L", (8, 8), value).save(folder / f"{number}.png")
    return folder


def test_a_file_has_its_own_digest(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"abc")
    assert digest_of(tmp_path / "a.mp4") == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_is_named_by_its_pictures_and_their_order(tmp_path: Path) -> None:
    one, same = pictures(tmp_path / "one", 1, 2, 3), pictures(tmp_path / "same", 1, 2, 3)
    turned = pictures(tmp_path / "turned", 3, 2, 1)
    assert digest_of(one) == digest_of(same) != digest_of(turned)
    (one / "notes.txt").write_text("no picture")
    assert digest_of(one) == digest_of(same)
    (one / "1.png").unlink()
    (one / "1.png").symlink_to(tmp_path / "nowhere.png")
    assert len(digest_of(one)) == 64


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"gone\.mp4: cannot be read any more"):
        digest_of(tmp_path / "gone.mp4")


def test_it_ends_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(3 << 20))
    stop = threading.Event()
    stop.set()
    assert digest_of(tmp_path / "a.mp4", stop) != digest_of(tmp_path / "a.mp4")
