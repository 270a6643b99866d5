from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seqfer.datasets.types import ClipRecord, Manifest, shared_subjects
from seqfer.errors import OptionError


def clip(name: str, label: str = "happy", **more: Any) -> ClipRecord:
    return ClipRecord(name, Path("videos") / name, label, **more)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clip_id": ""}, "needs a clip_id"),
        ({"label": ""}, "label ''"),
        ({"label": "Happiness"}, "must be 'happy'"),
        ({"split": "dev"}, "known: train, validation, test"),
        ({"fold": -1}, "count from 0"),
        ({"start_s": -0.1}, "must lie before"),
        ({"start_s": 2.0, "end_s": 2.0}, "must lie before"),
    ],
)
def test_a_record_checks_itself(fields: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"clip_id": "a", "path": Path("a.mp4"), "label": "happy"}
    with pytest.raises(OptionError, match=message):
        ClipRecord(**(good | fields))


class TestManifest:
    def test_labels_come_in_their_usual_order_and_strangers_last(self) -> None:
        names = ["surprise", "bored", "angry", "neutral", "calm", "contempt"]
        manifest = Manifest(tuple(clip(name, name) for name in names))
        assert manifest.labels == ("angry", "contempt", "surprise", "neutral", "bored", "calm")

    def test_two_clips_of_one_name_are_refused(self) -> None:
        with pytest.raises(OptionError, match="'a' stands for more than one clip"):
            Manifest((clip("a"), clip("b", "sad"), clip("a")))

    def test_no_clips_are_no_manifest_but_a_single_expression_is(self) -> None:
        with pytest.raises(OptionError, match="holds no clip"):
            Manifest(())
        assert Manifest((clip("a"), clip("b"))).labels == ("happy",)

    @pytest.mark.parametrize(
        ("places", "shared"),
        [
            (({"split": "train"}, {"split": "test"}), True),
            (({"fold": 0}, {"fold": 1}), True),
            (({"split": "train"}, {"split": "train"}), False),
            (({"fold": 0}, {"fold": 0}), False),
            (({"split": "train"}, {}), False),  # a clip in no split is on no side
        ],
    )
    def test_a_subject_on_two_sides_needs_the_mark(self, places: tuple[dict[str, Any], ...], shared: bool) -> None:
        records = tuple(
            clip(name, label, subject_id="S1", **place)
            for name, label, place in zip("ab", ("happy", "sad"), places, strict=True)
        )
        assert bool(shared_subjects(records)) == shared
        if shared:
            with pytest.raises(OptionError, match="subject 'S1' is in more than one part"):
                Manifest(records)
        assert len(Manifest(records, leaky="asked for" if shared else "").records) == 2

    def test_unknown_subjects_are_not_one_person(self) -> None:
        Manifest((clip("a", split="train"), clip("b", "sad", split="test")))

    def test_a_split_is_chosen_by_its_name(self) -> None:
        manifest = Manifest((clip("a", split="train"), clip("b", "sad", split="test")))
        assert [record.clip_id for record in manifest.of_split("test")] == ["b"]


def test_a_subject_in_two_folds_is_found_beside_splits_too() -> None:
    records = [
        ClipRecord(str(k), Path(f"{k}.png"), ("happy", "sad")[k % 2], subject_id="A", split="train", fold=k)
        for k in range(2)
    ]
    with pytest.raises(OptionError, match=r"subject 'A' is in more than one part \(fold 0, fold 1\)"):
        Manifest(tuple(records))
