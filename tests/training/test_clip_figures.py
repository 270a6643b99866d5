"""A head's figures on clips, counted by hand."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch

from seqfer.errors import OptionError
from seqfer.evaluation.metrics import gain_interval
from seqfer.models.heads import BiLSTMHead, SequenceOutput
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


class _Told(torch.nn.Module):
    """A head that says of frames what the embedding says, and of clips what it was told."""

    def __init__(self, clip_logits: torch.Tensor) -> None:
        super().__init__()
        self.frame = torch.nn.Linear(2, 2, bias=False)
        torch.nn.init.eye_(self.frame.weight)
        self._clip_logits = clip_logits

    def forward(self, embeddings: torch.Tensor, lengths: torch.Tensor) -> SequenceOutput:
        weights = torch.full(embeddings.shape[:2], 1 / embeddings.shape[1])
        return SequenceOutput(self.frame(embeddings), self._clip_logits, weights)


def test_the_gain_is_the_heads_over_the_mean_of_its_frames() -> None:
    shown = torch.tensor([[0, 0, 0], [1, 1, 0], [0, 1, 1]])
    truth = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    embeddings, targets = (torch.nn.functional.one_hot(labels, 2).float() for labels in (shown, truth))
    pure, steady = torch.ones(3, 3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    clips = EncodedClips(embeddings, targets, pure, steady)
    figures = measure_head(cast(BiLSTMHead, _Told(torch.tensor([[2.0, 0], [2, 0], [0, 2]]))), clips, 25.0)
    assert (figures.clip_accuracy, figures.clip_accuracy_of_means) == pytest.approx((1, 2 / 3))
    assert figures.gain == gain_interval(1, 0, 3)
    sure, clip = math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2))
    assert figures.log_loss == pytest.approx(clip + (6 * sure + 3 * (1 + sure)) / 9, abs=1e-6)


def test_clips_of_which_none_is_steady_have_no_figures() -> None:
    nothing = torch.zeros(2, 3, 2)
    clips = EncodedClips(nothing, nothing, torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, dtype=torch.bool))
    with pytest.raises(OptionError, match="none of 2 clips shows one still throughout"):
        measure_head(BiLSTMHead(2, 2, width=3).eval(), clips, 25.0)
