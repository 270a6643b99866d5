from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.datasets.layouts.fer2013 import read_fer2013
from seqfer.datasets.layouts.found import LayoutOptions
from seqfer.errors import DatasetError
from tests.datasets.layouts.test_named_files import touch


def test_class_folders_carry_the_official_splits(tmp_path: Path) -> None:
    touch(tmp_path, "train/happy/1.jpg", "validation/sad/2.jpg", "test/Anger/3.jpg", "other/happy/4.jpg")
    found = read_fer2013(tmp_path, LayoutOptions())
    assert [(record.clip_id, record.label, record.split) for record in found.records] == [
        ("test/Anger/3.jpg", "angry", "test"),
        ("train/happy/1.jpg", "happy", "train"),
        ("validation/sad/2.jpg", "sad", "validation"),
    ]
    assert found.left_out[0][0].name == "4.jpg"


@pytest.mark.parametrize("give_folder", [True, False])
def test_a_row_of_the_csv_file_is_a_clip(tmp_path: Path, give_folder: bool) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n3,0 0,Training\n9,0 0,Training\n-1,0,Training\n0,1 1,PrivateTest\n")
    found = read_fer2013(tmp_path if give_folder else path, LayoutOptions())
    assert [(record.clip_id, record.label, record.split, record.frames) for record in found.records] == [
        ("Training_00000", "happy", "train", ("0",)),
        ("PrivateTest_00003", "angry", "test", ("3",)),
    ]
    assert [why for _, why in found.left_out] == [
        "row 1 has no known emotion and Usage",
        "row 2 has no known emotion and Usage",
    ]


def test_a_csv_file_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="lacks the columns"):
        read_fer2013(tmp_path, LayoutOptions())


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(b"emotion,pixels,Usage\n0,caf\xe9,Training\n")
    with pytest.raises(DatasetError, match="is no CSV file"):
        read_fer2013(tmp_path, LayoutOptions())
