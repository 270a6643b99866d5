from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from seqfer.errors import VideoError
from seqfer.video.opening import open_video
from seqfer.video.stills import numbered_pictures, read_image
from tests.media import numbered_image, read_number


def save(path: Path, number: int = 5, size: tuple[int, int] = (96, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(numbered_image(number, *size)).save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
def test_a_still_is_a_clip_of_one_frame(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"still{suffix}")
    with open_video(path) as stream:
        frames = list(stream)
    assert [(frame.index, frame.time_s) for frame in frames] == [(0, 0.0)]
    assert read_number(frames[0].image) == 5
    assert (stream.info.width, stream.info.height, stream.info.frame_count) == (96, 64, 1)
    assert stream.info.frame_rate is None
    assert stream.report.decoded == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = Pillow.fromarray(numbered_image(9))
    # How a camera stores what it marks with each orientation: the inverse of how it is to be shown.
    stored_as = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_90,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_270,
    }
    stored = upright.transpose(stored_as[orientation]) if orientation in stored_as else upright
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    stored.save(path, exif=exif)
    assert read_number(read_image(path)) == 9


@pytest.mark.parametrize(
    ("mode", "top"), [("L", 255), ("1", 1), ("I;16", 65535), ("P", 255), ("RGBA", 255), ("LA", 255), ("CMYK", 255)]
)
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, top: int) -> None:
    grey = numbered_image(3).mean(2)
    if mode == "I;16":
        picture = Pillow.fromarray((grey * 257).astype(np.uint16))
    else:
        picture = Pillow.fromarray(grey.astype(np.uint8)).convert(mode)
    path = tmp_path / ("picture.tif" if mode in ("I;16", "CMYK") else "picture.png")
    picture.save(path)
    image = read_image(path)
    assert image.shape == (64, 96, 3)
    assert image.dtype == np.uint8
    assert image[:16, :, 0].max() > 240
    assert image[:16, :, 0].min() < 15


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    layer = np.full((20, 20, 4), 255, np.uint8)
    layer[:10, :, 3] = 0
    Pillow.fromarray(layer).save(tmp_path / "logo.png")
    image = read_image(tmp_path / "logo.png")
    assert image[:10].max() == 0
    assert image[10:].min() == 255


TIFF_WITHOUT_SIZE = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x03\x01\x03\0\x01\0\0\0\x01\0\0\0" + bytes(4)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n broken", TIFF_WITHOUT_SIZE])
def test_unreadable_pictures_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"bad\.png"):
        open_video(path)


def test_numbered_pictures_are_one_clip(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):  # in the order of numbers, not of names
        save(tmp_path / f"frame_{number}.png", number)
    with open_video(tmp_path, picture_rate=Fraction(10)) as stream:
        frames = list(stream)
    assert [read_number(frame.image) for frame in frames] == [8, 9, 10, 11]
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert stream.report.end_s == pytest.approx(0.4)


def test_missing_broken_and_odd_pictures_leave_their_time_empty(tmp_path: Path) -> None:
    for number in (1, 2, 4, 5, 6):
        save(tmp_path / f"{number:03d}.png", number)
    (tmp_path / "005.png").write_bytes(b"broken")
    save(tmp_path / "006.png", 6, size=(32, 32))
    with open_video(tmp_path, picture_rate=10) as stream:
        frames = list(stream)
    assert [(frame.index, read_number(frame.image)) for frame in frames] == [(0, 1), (1, 2), (3, 4)]
    assert (stream.report.decoded, stream.report.lost) == (3, 3)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["a1.png", "a2.png", "a3.png"], ["a1.png", "a2.png", "a3.png"]),
        (["f10.jpg", "f20.jpg", "f40.jpg"], ["f10.jpg", "f20.jpg", None, "f40.jpg"]),
        (["9.png", "10.png"], ["9.png", "10.png"]),
        (["a1.png", "b2.png"], None),  # two series
        (["a.png", "b.png"], None),  # no numbers
        (["a1.png"], None),  # a single still
        (["a1.png", "a1.jpg"], None),  # a number twice
        (["a1.png", "a2.png", "a90.png"], None),  # photos rather than frames: most of the series is missing
        (["a1.png", "a2.png", "note.txt"], ["a1.png", "a2.png"]),
    ],
)
def test_what_counts_as_numbered(tmp_path: Path, names: list[str], numbers: list[str | None] | None) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    found = numbered_pictures(tmp_path)
    assert (None if found is None else [file.name if file else None for file in found]) == numbers


@pytest.mark.parametrize(("odd", "one_clip"), [(1, True), (3, False)])
def test_photos_of_many_sizes_are_no_clip_whatever_their_numbers(tmp_path: Path, odd: int, one_clip: bool) -> None:
    for number in range(8):
        Pillow.new("RGB", (40 + 10 * number if number < odd else 64, 48)).save(tmp_path / f"{number}.png")
    assert (numbered_pictures(tmp_path) is not None) == one_clip


def test_a_camera_picture_with_another_behind_it_is_read(tmp_path: Path) -> None:
    first, second = Pillow.new("RGB", (8, 8), (200, 0, 0)), Pillow.new("RGB", (4, 4), (0, 0, 200))
    first.save(tmp_path / "photo.jpg", format="MPO", save_all=True, append_images=[second])
    image = read_image(tmp_path / "photo.jpg")
    assert image.shape == (8, 8, 3)
    assert image[4, 4, 0] > 150 > image[4, 4, 2]


def test_numbers_beyond_all_measure_are_no_series(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", f"{10**25}.png"):
        Pillow.new("RGB", (4, 4)).save(tmp_path / name)
    assert numbered_pictures(tmp_path) is None
