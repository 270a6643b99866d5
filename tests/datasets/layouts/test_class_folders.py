from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from seqfer.datasets.layouts.class_folders import read_folder
from seqfer.datasets.layouts.found import LayoutOptions
from seqfer.errors import OptionError
from tests.datasets.layouts.test_named_files import touch


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))


def found_in(root: Path, options: LayoutOptions | None = None) -> dict[str, tuple[str, str, str]]:
    return {
        r.clip_id: (r.label, r.subject_id, r.split) for r in read_folder(root, options or LayoutOptions()).records
    }


def test_the_first_folder_is_the_expression(tmp_path: Path) -> None:
    touch(tmp_path, "Happiness/a.mp4", "sad/S1/b.mov", "bored/c.avi")
    assert found_in(tmp_path) == {
        "Happiness/a.mp4": ("happy", "", ""),
        "bored/c.avi": ("bored", "", ""),
        "sad/S1/b.mov": ("sad", "", ""),
    }


def test_folders_of_splits_may_stand_above(tmp_path: Path) -> None:
    touch(tmp_path, "Train/happy/a.mp4", "val/happy/a.mp4", "test/sad/b.mp4")
    assert [place[2] for place in found_in(tmp_path).values()] == ["train", "test", "validation"]


def test_a_file_in_no_class_folder_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "train/b.mp4", "train/happy/c.mp4")
    found = read_folder(tmp_path, LayoutOptions())
    assert [record.clip_id for record in found.records] == ["train/happy/c.mp4"]
    assert [(path.name, why) for path, why in found.left_out] == [
        ("a.mp4", "lies in no class folder"),
        ("b.mp4", "lies in no class folder"),
    ]


def test_the_subject_is_found_by_its_group(tmp_path: Path) -> None:
    touch(tmp_path, "happy/S01_a.mp4", "sad/S02_b.mp4", "sad/unknown.mp4")
    found = read_folder(tmp_path, LayoutOptions(subject=r"/(?P<subject>S\d+)_"))
    assert [record.subject_id for record in found.records] == ["S01", "S02"]
    assert found.left_out[0][0].name == "unknown.mp4"
    assert "does not match --subject" in found.left_out[0][1]


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "no regular expression"), (r"S(\d+)", "lacks a group named subject")]
)
def test_an_unusable_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        LayoutOptions(subject=pattern)


def test_numbered_pictures_are_a_clip_in_a_folder_of_their_own_and_stills_in_the_class_folder(
    tmp_path: Path,
) -> None:
    pictures(tmp_path / "happy/clip_a", "0001.png", "0002.png", "0003.png")
    pictures(tmp_path / "sad", "1.png", "2.png", "3.png")
    pictures(tmp_path / "fear/photos", "anna.png", "bert.png")
    pictures(tmp_path / "train/angry", "1.png", "2.png")
    assert list(found_in(tmp_path)) == [
        "fear/photos/anna.png",
        "fear/photos/bert.png",
        "happy/clip_a",
        "sad/1.png",
        "sad/2.png",
        "sad/3.png",
        "train/angry/1.png",
        "train/angry/2.png",
    ]


def test_folders_behind_links_are_read_too(tmp_path: Path) -> None:
    touch(tmp_path / "set", "sad/a.mp4")
    touch(tmp_path / "store", "happy/b.mp4", "happy/.hidden/c.mp4")
    (tmp_path / "set" / "happy").symlink_to(tmp_path / "store" / "happy")
    (tmp_path / "store" / "happy" / "circle").symlink_to(tmp_path / "set")
    assert found_in(tmp_path / "set") == {"happy/b.mp4": ("happy", "", ""), "sad/a.mp4": ("sad", "", "")}
