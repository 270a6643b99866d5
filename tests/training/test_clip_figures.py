"""A head's figures on clips, counted by hand."""

from __future__ import annotations

import pytest
import torch

from seqfer.evaluation.metrics import gain_interval
from seqfer.models.heads import BiLSTMHead
from seqfer.training.clip_figures import EncodedClips, measure_head


def test_figures_count_what_a_head_says() -> None:
    """A head that says what the embedding says: two labels, two clips of four frames, the second one changes."""
    head = BiLSTMHead(2, 2, width=3).eval()  # untrained, so that its context says nothing
    with torch.no_grad():
        head.frame.weight.copy_(torch.eye(2))
        head.frame.bias.zero_()
    shown = torch.tensor([[0, 0, 0, 1], [0, 1, 1, 1]])
    truth = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1]])
    clips = EncodedClips(
        embeddings=torch.nn.functional.one_hot(shown, 2).float(),
        targets=torch.nn.functional.one_hot(truth, 2).float(),
        pure=torch.tensor([[True, True, True, True], [True, False, True, True]]),
        steady=torch.tensor([True, False]),
    )
    figures = measure_head(head, clips, 8.0)
    sure = torch.tensor([1.0, 0.0]).softmax(0)[0].item()  # of every frame
    assert (figures.clips, figures.frames) == (1, 7)
    assert figures.clip_accuracy == figures.clip_accuracy_of_means == 1
    assert figures.gain == gain_interval(0, 0, 1)
    assert figures.frame_accuracy == figures.frame_accuracy_alone == pytest.approx(6 / 7)
    assert figures.frame_ece == pytest.approx(6 / 7 - sure, abs=1e-6)
    assert figures.changes_per_s == figures.changes_per_s_alone == 2  # two changes in two clips of half a second
