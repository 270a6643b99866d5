"""What a step minimises, against PyTorch's own cross-entropy of clips and frames without padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqfer.models.heads import SequenceOutput
from seqfer.training.config import LossConfig, TeacherConfig
from seqfer.training.objective import Lesson, Mix, balanced_weights, disagreement, draw_mix, losses, mix_frames

LENGTHS = torch.tensor([4, 1, 2])
LABELS = torch.tensor([2, 0, 1])
WEIGHTS = torch.tensor([0.5, 2.0, 1.5])
EVEN = torch.ones(3)


def output(padding: float = 0.0) -> SequenceOutput:
    """Logits of three clips; `padding` stands behind their ends."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(3, 4, 3, generator=generator)
    for clip, length in enumerate(LENGTHS):
        frames[clip, length:] = padding
    return SequenceOutput(frames, torch.randn(3, 3, generator=generator), torch.zeros(3, 4))


def own_frames(values: Tensor) -> Tensor:
    """The frames of all clips one after the other."""
    return torch.cat([clip[:length] for clip, length in zip(values, LENGTHS, strict=True)])


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [EVEN, WEIGHTS], ids=["even", "weighted"])
def test_losses_are_cross_entropies_of_clips_and_frames(weights: Tensor, smoothing: float) -> None:
    made = output()
    sums, divisors = losses(made, LENGTHS, LABELS, None, LossConfig(label_smoothing=smoothing), weights)
    expected = []
    for logits, truth in (
        (made.clip_logits, LABELS),
        (own_frames(made.frame_logits), LABELS.repeat_interleave(LENGTHS)),
    ):
        targets = (1 - smoothing) * F.one_hot(truth, 3) + smoothing / 3
        expected.append((weights[truth] * F.cross_entropy(logits, targets, reduction="none")).sum())
    torch.testing.assert_close(sums, torch.stack(expected))
    torch.testing.assert_close(divisors, torch.tensor([3.0, 7.0]))


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_an_epoch_of_balanced_steps_pulls_to_neither_class(batch_size: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1], [90, 10]))
    weights = balanced_weights(labels, 2)
    pull = torch.zeros(2)
    for part in torch.split(torch.from_numpy(labels), batch_size):
        logits = torch.zeros(len(part), 2, requires_grad=True)
        made = SequenceOutput(logits[:, None], logits, torch.ones(len(part), 1))
        sums, divisors = losses(made, torch.ones(len(part), dtype=torch.int64), part, None, LossConfig(), weights)
        pull += torch.autograd.grad((sums / divisors)[0], logits)[0].sum(0)
    assert pull == pytest.approx([0, 0], abs=1e-5)


def test_balanced_and_smoothed_no_class_is_taught_that_no_clip_shows() -> None:
    labels = torch.from_numpy(np.repeat([0, 1, 2], [200, 200, 100]))
    weights, loss = balanced_weights(labels.numpy(), 4), LossConfig(label_smoothing=0.05)
    said = torch.zeros(4, 4, requires_grad=True)  # of the clips of each class
    optimizer = torch.optim.Adam([said], 0.1)
    for _ in range(200):
        logits = said[labels]
        made = SequenceOutput(logits[:, None], logits, torch.ones(len(labels), 1))
        sums, divisors = losses(made, torch.ones(len(labels), dtype=torch.int64), labels, None, loss, weights)
        optimizer.zero_grad()
        (sums / divisors)[0].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for shown in range(3):
        probabilities = said[shown].detach().softmax(0)
        assert float(probabilities[shown]) == pytest.approx(1 - 0.05 * 3 / 4, abs=0.02)
        assert float(probabilities[3]) == pytest.approx(0.05 / 4, abs=0.02)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    made, loss = output(), LossConfig(label_smoothing=0.1)
    whole = losses(made, LENGTHS, LABELS, None, loss, WEIGHTS)
    parts = []
    for part in (slice(0, 1), slice(1, 3)):
        longest = int(LENGTHS[part].max())
        own = SequenceOutput(
            made.frame_logits[part, :longest], made.clip_logits[part], made.attention[part, :longest]
        )
        parts.append(losses(own, LENGTHS[part], LABELS[part], None, loss, WEIGHTS))
    for index in range(2):
        torch.testing.assert_close(parts[0][index] + parts[1][index], whole[index])


def test_what_stands_behind_a_clips_end_has_no_influence() -> None:
    found = []
    for padding in (0.0, 1e4, float("nan")):
        made = output(padding)
        made.frame_logits.requires_grad_()
        sums, divisors = losses(made, LENGTHS, LABELS, None, LossConfig(), WEIGHTS)
        gradient = torch.autograd.grad(sums.sum(), made.frame_logits)[0]
        found.append((sums.detach(), divisors, gradient))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
    for clip, length in enumerate(LENGTHS):
        assert (found[0][2][clip, length:] == 0).all()


def test_a_mixed_clip_is_to_show_both_labels() -> None:
    made, mix = output(), Mix(0.7, torch.tensor([1, 2, 0]))
    sums, divisors = losses(made, LENGTHS, LABELS, mix, LossConfig(frame=1.0), EVEN)
    both = 0.7 * F.one_hot(LABELS, 3) + 0.3 * F.one_hot(LABELS[mix.partner], 3)
    expected = (
        F.cross_entropy(made.clip_logits, both),
        F.cross_entropy(own_frames(made.frame_logits), both.repeat_interleave(LENGTHS, 0)),
    )
    torch.testing.assert_close(sums / divisors, torch.stack(expected))
    torch.testing.assert_close(divisors, torch.tensor([3.0, 7.0]))


def test_the_weights_of_both_labels_of_a_mixed_clip_count() -> None:
    made, mix = output(), Mix(0.7, torch.tensor([1, 2, 0]))
    sums, divisors = losses(made, LENGTHS, LABELS, mix, LossConfig(), WEIGHTS)
    own, other = WEIGHTS[LABELS], WEIGHTS[LABELS[mix.partner]]
    assert divisors[0] == pytest.approx(3)
    parts = [F.cross_entropy(made.clip_logits, truth, reduction="none") for truth in (LABELS, LABELS[mix.partner])]
    assert sums[0] == pytest.approx(float((0.7 * own * parts[0] + 0.3 * other * parts[1]).sum()))


def test_a_mixture_with_nothing_of_the_other_changes_nothing() -> None:
    mix = Mix(1.0, torch.tensor([1, 2, 0]))
    frames = torch.randn(7, 1, 2, 2)
    assert torch.equal(mix_frames(frames, LENGTHS, mix), frames)
    for mixed, plain in zip(
        losses(output(), LENGTHS, LABELS, mix, LossConfig(label_smoothing=0.1), WEIGHTS),
        losses(output(), LENGTHS, LABELS, None, LossConfig(label_smoothing=0.1), WEIGHTS),
        strict=True,
    ):
        torch.testing.assert_close(mixed, plain)


def other_output() -> SequenceOutput:
    """Another model's logits of the same clips; what it says behind their ends must not count."""
    generator = torch.Generator().manual_seed(1)
    frames, clips = torch.randn(3, 4, 3, generator=generator), torch.randn(3, 3, generator=generator)
    return SequenceOutput(frames, clips, torch.zeros(3, 4))


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_teacher_has_its_share_in_both_losses(share: float, temperature: float) -> None:
    made, teacher, loss = output(), other_output(), LossConfig(label_smoothing=0.1)
    lesson = Lesson(teacher, TeacherConfig("given", share=share, temperature=temperature))
    by_labels, _ = losses(made, LENGTHS, LABELS, None, loss, WEIGHTS)
    sums, divisors = losses(made, LENGTHS, LABELS, None, loss, WEIGHTS, lesson)
    divergences = []
    for ours, theirs in (
        (made.clip_logits, teacher.clip_logits),
        (own_frames(made.frame_logits), own_frames(teacher.frame_logits)),
    ):
        p, q = (theirs / temperature).softmax(1), (ours / temperature).softmax(1)
        divergences.append(temperature**2 * (p * (p / q).log()).sum())
    torch.testing.assert_close(sums, (1 - share) * by_labels + share * torch.stack(divergences))
    torch.testing.assert_close(divisors, torch.tensor([3.0, 7.0]))


def test_who_agrees_with_the_teacher_has_nothing_to_learn_from_it() -> None:
    logits = torch.randn(5, 7, requires_grad=True)
    found = disagreement(logits, logits.detach() + 2.5, 4.0)  # probabilities do not know a constant
    assert float(found.detach()) == pytest.approx(0, abs=1e-5)
    assert torch.autograd.grad(found, logits)[0].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("lengths", "partner", "seen"),
    [
        ([2, 2], [1, 0], [2, 3, 0, 1]),
        ([2, 2], [0, 1], [0, 1, 2, 3]),
        ([4, 2], [1, 0], [4, 4, 5, 5, 1, 3]),  # a shorter one is stretched, of a longer one the middles are taken
        ([3, 1], [1, 0], [3, 3, 3, 1]),
        ([3, 2], [1, 0], [3, 4, 4, 0, 2]),
        ([1, 3, 2], [1, 2, 0], [2, 4, 5, 5, 0, 0]),
    ],
)
def test_clips_of_different_length_are_mixed_from_end_to_end(
    lengths: list[int], partner: list[int], seen: list[int]
) -> None:
    frames = torch.arange(sum(lengths)).float()
    mixed = mix_frames(frames, torch.tensor(lengths), Mix(0.75, torch.tensor(partner)))
    torch.testing.assert_close(mixed, 0.75 * frames + 0.25 * torch.tensor(seen).float())


def test_mixtures_are_drawn_by_the_seed() -> None:
    assert draw_mix(5, 0.0, seed=1) is None
    drawn = [draw_mix(5, 0.4, seed) for seed in range(200)]
    again = draw_mix(5, 0.4, seed=7)
    assert again is not None
    assert drawn[7] is not None
    assert again.share == drawn[7].share
    assert again.partner.equal(drawn[7].partner)
    shares = [mix.share for mix in drawn if mix is not None]
    assert all(0 <= share <= 1 for share in shares)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.15)  # that of Beta(0.4, 0.4)
    assert all(sorted(mix.partner.tolist()) == list(range(5)) for mix in drawn if mix is not None)


@pytest.mark.parametrize("counts", [(5, 5, 5), (8, 2, 1), (9, 0, 3)])
def test_balanced_weights_let_every_class_count_as_much(counts: tuple[int, ...]) -> None:
    labels = np.repeat(np.arange(3), counts)
    weights = balanced_weights(labels, 3)
    counted = [float(weights[k]) * count for k, count in enumerate(counts) if count]
    assert counted == pytest.approx([len(labels) / len(counted)] * len(counted))
    assert weights.isfinite().all()
