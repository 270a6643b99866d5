from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.datasets.layouts.found import Found
from seqfer.datasets.layouts.registry import LAYOUTS, read_layout, with_lengths
from seqfer.datasets.types import ClipRecord
from seqfer.errors import DatasetError, OptionError
from tests.datasets.layouts.test_named_files import touch
from tests.media import write_clip


def test_an_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"unknown kind of data set 'x'; known: {', '.join(LAYOUTS)}"):
        read_layout("x", tmp_path)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_kind_refuses_what_is_not_there(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        read_layout(kind, tmp_path / "nowhere")
    with pytest.raises(DatasetError):
        read_layout(kind, tmp_path)  # empty
    with pytest.raises(DatasetError, match="is not a folder"):
        read_layout(kind, touch(tmp_path, "a.txt") / "a.txt")


def test_a_folder_of_another_kind_says_what_did_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no clip of a liris-cse data set; a\.mp4 is not named"):
        read_layout("liris-cse", touch(tmp_path, "a.mp4"))


def test_lengths_come_from_the_files_and_broken_videos_are_left_out(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", [k / 10 for k in range(10)])
    broken = touch(tmp_path, "b.mp4") / "b.mp4"
    touch(tmp_path / "frames", *(f"{number}.png" for number in range(5)))
    found = Found(
        [
            ClipRecord("whole", video, "happy"),
            ClipRecord("part", video, "happy", start_s=0.2, end_s=0.5),
            ClipRecord("still", tmp_path / "c.jpg", "sad"),
            ClipRecord("broken", broken, "sad"),
            ClipRecord("folder", tmp_path / "frames", "sad"),
            ClipRecord("two of them", tmp_path / "frames", "sad", frames=("1.png", "3.png")),
        ]
    )
    kept, seconds = with_lengths(found)
    assert [record.clip_id for record in kept.records] == ["whole", "part", "still", "folder", "two of them"]
    # A frame at 25 Hz ends the video; a folder of pictures is read at that rate.
    expected = {"whole": 0.94, "part": 0.3, "still": 0.0, "folder": 0.2, "two of them": 0.08}
    assert seconds == pytest.approx(expected)
    assert [path for path, _ in kept.left_out] == [broken]
    assert found.left_out == []
