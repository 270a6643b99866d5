from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqfer.datasets.pictures import PictureReader, is_video, picture_files
from seqfer.datasets.types import ClipRecord
from seqfer.errors import SeqferError


def record(path: Path, *frames: str) -> ClipRecord:
    return ClipRecord("a", path, "happy", frames=frames)


def grey(path: Path, value: int) -> None:
    Image.new("L", (8, 8), value).save(path)


@pytest.mark.parametrize(
    ("name", "expected"), [("a.mp4", True), ("a.GIF", True), ("a.png", False), ("a", False), ("a.csv", False)]
)
def test_what_ffmpeg_has_to_decode(name: str, expected: bool) -> None:
    assert is_video(record(Path(name))) == expected


def test_pictures_come_in_the_order_of_the_clip(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        grey(tmp_path / f"{number}.png", number)
    read = PictureReader().read
    for clip, expected in (
        (record(tmp_path), [(0, 8), (1, 9), (2, 10), (3, 11)]),
        (record(tmp_path, "10.png", "8.png"), [(0, 10), (1, 8)]),
        (record(tmp_path / "9.png"), [(0, 9)]),
    ):
        assert [(place, image[0, 0, 0]) for place, image in read(clip)] == expected
    assert picture_files(record(tmp_path))[-1] == tmp_path / "11.png"
    (tmp_path / "9.png").unlink()
    assert [(place, image[0, 0, 0]) for place, image in read(record(tmp_path))] == [(0, 8), (2, 10), (3, 11)]


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    pixels = " ".join(["7"] * 48 * 48)
    path.write_text(f"emotion,pixels,Usage\n0,1 2,Training\n1,{pixels},Training\n")
    reader = PictureReader()
    ((_, image),) = reader.read(record(path, "1"))
    assert image.shape == (48, 48)
    assert np.unique(image).tolist() == [7]
    for row in ("0", "2", "x", "-1"):
        with pytest.raises(SeqferError, match=f"row {row} holds no picture"):
            list(reader.read(record(path, row)))


@pytest.mark.parametrize("name", ["gone.png", "gone.csv", "text.png", "folder", "latin.csv", "zero.csv"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.csv").write_bytes(b"emotion,pixels,Usage\n0,caf\xe9,Training\n")
    (tmp_path / "zero.csv").write_bytes(b"emotion,pixels,Usage\n0,\0,Training\n")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(SeqferError, match=name):
        list(PictureReader().read(record(tmp_path / name, *(["0"] if name.endswith("csv") else []))))
