from __future__ import annotations

from pathlib import Path

import pytest

from seqfer.datasets.layouts.cohn_kanade import read_ckplus, read_ckplus48
from seqfer.datasets.layouts.found import LayoutOptions
from seqfer.errors import DatasetError, OptionError
from tests.datasets.layouts.test_named_files import touch


def ckplus(root: Path, subject: str, session: str, frames: int, emotion: str | None) -> None:
    names = [f"S{subject}_{session}_{k:08d}.png" for k in range(1, frames + 1)]
    touch(root / "cohn-kanade-images" / f"S{subject}" / session, *names)
    place = root / "Emotion" / f"S{subject}" / session
    place.mkdir(parents=True)
    if emotion is not None:
        (place / f"S{subject}_{session}_{frames:08d}_emotion.txt").write_text(emotion)


class TestCKPlus:
    def test_a_clip_is_the_frames_up_to_the_apex(self, tmp_path: Path) -> None:
        ckplus(tmp_path, "005", "001", 11, "   3.0000000e+00\n")
        (record,) = read_ckplus(tmp_path, LayoutOptions()).records
        assert (record.clip_id, record.label, record.subject_id) == ("S005_001", "disgust", "S005")
        assert record.frames == tuple(f"S005_001_{k:08d}.png" for k in (9, 10, 11))

    def test_the_first_frame_is_neutral_where_asked_for(self, tmp_path: Path) -> None:
        ckplus(tmp_path, "005", "001", 11, "7")
        ckplus(tmp_path, "010", "002", 2, "5")  # the clip takes all frames: none is left to be neutral
        records = read_ckplus(tmp_path, LayoutOptions(last_frames=2, first_as_neutral=True)).records
        assert [(record.clip_id, record.label, len(record.frames)) for record in records] == [
            ("S005_001", "surprise", 2),
            ("S005_001_neutral", "neutral", 1),
            ("S010_002", "happy", 2),
        ]

    @pytest.mark.parametrize(
        ("emotion", "why"),
        [(None, "has no emotion file"), ("", "holds no code"), ("8", "holds no code"), ("-1", "holds no code")],
    )
    def test_a_sequence_without_label_is_left_out(self, tmp_path: Path, emotion: str | None, why: str) -> None:
        ckplus(tmp_path, "005", "001", 4, emotion)
        found = read_ckplus(tmp_path, LayoutOptions())
        assert found.records == []
        assert why in found.left_out[0][1]

    def test_another_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="cohn-kanade-images and Emotion"):
            read_ckplus(tmp_path, LayoutOptions())

    def test_a_clip_has_at_least_one_frame(self) -> None:
        with pytest.raises(OptionError, match="last_frames"):
            LayoutOptions(last_frames=0)


class TestCK48:
    def test_the_pictures_of_a_sequence_are_one_clip(self, tmp_path: Path) -> None:
        names = [f"S010_004_{k:08d}.png" for k in (17, 18, 19)]
        touch(tmp_path / "happy", *names, "S011_001_00000009.png")
        touch(tmp_path / "anger", "S010_003_00000010.png")
        records = read_ckplus48(tmp_path, LayoutOptions()).records
        assert {record.clip_id: (record.label, record.frames) for record in records} == {
            "S010_003": ("angry", ("S010_003_00000010.png",)),
            "S010_004": ("happy", tuple(names)),
            "S011_001": ("happy", ("S011_001_00000009.png",)),
        }
        assert {record.subject_id for record in records} == {"S010", "S011"}

    def test_strange_names_and_folders_are_left_out(self, tmp_path: Path) -> None:
        touch(tmp_path, "happy/x.png", "moods/S010_004_00000017.png", "happy/S010_004_00000017.png")
        found = read_ckplus48(tmp_path, LayoutOptions())
        assert len(found.records) == 1
        reasons = {path.parent.name: why for path, why in found.left_out}
        assert "is not named" in reasons["happy"]
        assert "'moods', which is none of angry" in reasons["moods"]
