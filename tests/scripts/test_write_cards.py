from __future__ import annotations

from pathlib import Path

import torch
import write_cards

from seqfer.labels import FER7
from seqfer.models.checkpoint import Provenance, save_checkpoint
from seqfer.models.classifier import Architecture, SequenceClassifier

CARD = f"# one\n\nBefore.\n\n{write_cards.BEGIN}\nold figures\n{write_cards.END}\n\nAfter.\n"


def figures(n: int, right: float) -> dict[str, object]:
    interval = [right - 0.015, right + 0.015]
    return {"n": n, "accuracy": right, "accuracy_interval": interval, "uar": right - 0.1, "uar_interval": interval}


def test_what_lies_between_the_marks_becomes_the_models_figures(tmp_path: Path) -> None:
    counts = [[3 if row == column else 0 for column in range(7)] for row in range(7)]
    counts[1] = [1, 2, 0, 0, 0, 0, 0]  # a third of disgust is read as angry
    whole = {**figures(21, 0.952), "macro_f1": 0.94, "macro_f1_interval": [0.9, 0.97], "ece": 0.0214}
    clips = {
        "clips": 21,
        "clip_accuracy": 0.7,
        "clip_accuracy_of_means": 0.65,
        "gain": [-0.01, 0.112],
        "frame_accuracy": 0.6,
        "frame_accuracy_alone": 0.55,
        "frame_ece": 0.021,
        "changes_per_s": 0.72,
        "changes_per_s_alone": 8.1,
    }
    split = {**whole, "those unlike": figures(12, 0.9), "confusion_matrix": counts, "clips": {"steady": clips}}
    small = {"stem_width": 8, "widths": (16, 16), "blocks": (1, 1)}
    torch.manual_seed(0)
    model = SequenceClassifier(Architecture(encoder_settings=small, head="mean")).eval()
    save_checkpoint(
        tmp_path / "one", model, Provenance(metrics={"PublicTest": split, "PrivateTest": {**split, "n": 20}})
    )

    page = write_cards.page(str(tmp_path / "one"), CARD)
    assert page.startswith("# one\n\nBefore.\n")
    assert page.endswith("\n\nAfter.\n")
    assert "old figures" not in page
    for row in (
        "| PublicTest (chose the model) | 21 | 95.2 % (93.7 to 96.7 %) | 85.2 % (93.7 to 96.7 %) |",
        "| PrivateTest (measured) | 20 | 95.2 %",
        "| all | 20 | 95.2 %",
        "| those unlike | 12 | 90.0 % (88.5 to 91.5 %) |",
        "| disgust (n = 3) | 1 | 2 | 0 | 0 | 0 | 0 | 0 | 66.7 % | 100.0 % | 80.0 % |",
        "| angry (n = 3) | 3 | 0 | 0 | 0 | 0 | 0 | 0 | 100.0 % | 75.0 % | 85.7 % |",
        "| steady | 21 | 70.0 % | 65.0 % | -1.0 to +11.2 | 60.0 % | 55.0 % | 2.1 % | 0.7 | 8.1 |",
    ):
        assert f"\n{row}" in page, row
    assert all(name in page for name in FER7)
    assert write_cards.page(str(tmp_path / "one"), page) == page
