from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.datasets.layouts.found import LayoutOptions
from seqfer.datasets.layouts.registry import LAYOUTS


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("liris-cse", "videos_208/S1_happy_1.mp4", ("happy", "1")),
        ("liris-cse", "videos_208/S12_Surprise_10.MP4", ("surprise", "12")),
        ("liris-cse", "S3_anger_2.avi", ("angry", "3")),
        ("liris-cse", "S8_confusing.mp4", "is not named S<subject>_<expression>_<number>"),
        ("liris-cse", "S8_confused_1.mp4", "'confused' is none of angry, disgust"),
        ("liris-cse", "S2_happy_surprise_1.mp4", "is not named"),
        ("liris-cse", "S2_happy_1 (copy).mp4", "is not named"),
        ("liris-cse", "Shappy_1.mp4", "is not named"),
        ("ravdess", "Actor_12/01-01-03-02-01-01-12.mp4", ("happy", "12")),
        ("ravdess", "Actor_01/02-02-02-01-01-01-01.mp4", ("calm", "01")),
        ("ravdess", "Actor_01/01-01-09-01-01-01-01.mp4", "'09' is none of"),
        ("ravdess", "Actor_01/03-01-01-01-01-01-01.mp4", "is not named"),  # sound alone
        ("crema-d", "VideoFlash/1001_DFA_ANG_XX.flv", ("angry", "1001")),
        ("crema-d", "1091_WSI_NEU_XX.flv", ("neutral", "1091")),
        ("crema-d", "1091_WSI_BOR_XX.flv", "'BOR' is none of"),
        ("jaffe", "KA.AN1.39.tiff", ("angry", "KA")),
        ("jaffe", "YM.NE3.51.tiff", ("neutral", "YM")),
        ("jaffe", "YM.XX3.51.tiff", "'XX' is none of"),
        ("jaffe", "README.png", "is not named"),
    ],
)
def test_a_name_gives_label_and_subject_or_a_reason(
    tmp_path: Path, kind: str, name: str, expected: tuple[str, str] | str
) -> None:
    found = LAYOUTS[kind](touch(tmp_path, name), LayoutOptions())
    if isinstance(expected, str):
        assert found.records == []
        ((path, why),) = found.left_out
        assert path == tmp_path / name
        assert expected in why
    else:
        (record,) = found.records
        assert (record.label, record.subject_id) == expected
        assert record.path == tmp_path / name
        assert found.left_out == []


def test_files_of_other_kinds_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    root = touch(tmp_path, "S1_happy_1.mp4", "readme.txt", "._S1_happy_1.mp4", ".trash/S1_sad_1.mp4")
    found = LAYOUTS["liris-cse"](root, LayoutOptions())
    assert [record.clip_id for record in found.records] == ["S1_happy_1"]
    assert found.left_out == []


def test_the_same_name_in_two_folders_counts_once(tmp_path: Path) -> None:
    found = LAYOUTS["liris-cse"](touch(tmp_path, "a/S1_happy_1.mp4", "b/S1_happy_1.mp4"), LayoutOptions())
    assert [record.path for record in found.records] == [tmp_path / "a/S1_happy_1.mp4"]
    assert "has the name of" in found.left_out[0][1]


def test_ravdess_recordings_without_sound_are_not_counted_again(tmp_path: Path) -> None:
    root = touch(tmp_path, "01-01-03-02-01-01-12.mp4", "02-01-03-02-01-01-12.mp4", "02-01-04-02-01-01-12.mp4")
    found = LAYOUTS["ravdess"](root, LayoutOptions())
    assert [record.clip_id for record in found.records] == ["01-01-03-02-01-01-12", "02-01-04-02-01-01-12"]
    assert found.left_out[0][0].name == "02-01-03-02-01-01-12.mp4"


@pytest.mark.parametrize(
    ("kind", "name", "codes"),
    [
        (
            "ravdess",
            "01-01-{}-01-01-01-01.mp4",
            "01 neutral 02 calm 03 happy 04 sad 05 angry 06 fear 07 disgust 08 surprise",
        ),
        ("crema-d", "1001_DFA_{}_XX.flv", "ANG angry DIS disgust FEA fear HAP happy NEU neutral SAD sad"),
        ("jaffe", "KA.{}1.39.tiff", "AN angry DI disgust FE fear HA happy NE neutral SA sad SU surprise"),
    ],
)
def test_every_code_means_what_its_authors_say(tmp_path: Path, kind: str, name: str, codes: str) -> None:
    words = codes.split()
    for code, label in zip(words[::2], words[1::2], strict=True):
        (record,) = LAYOUTS[kind](touch(tmp_path / code, name.format(code)), LayoutOptions()).records
        assert record.label == label
