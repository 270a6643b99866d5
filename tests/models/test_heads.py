"""The contract of every head, and what the BiLSTM promises beyond it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seqfer.errors import ModelError
from seqfer.models.heads import HEADS, BiLSTMHead, MeanHead, NearMean, SequenceOutput, build_head, soften

DIM, LABELS = 16, 7
LENGTHS = torch.tensor([9, 1, 4])


@pytest.fixture(params=[*HEADS, "bilstm that reaches", "bilstm, calm"])
def head(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    special: dict[str, dict[str, Any]] = {
        "average": {"parts": (6, 10)},
        "bilstm that reaches": {"reach": 3},
        "bilstm, calm": {"reach": 3, "calm": 0.1},
    }
    settings = special.get(request.param, {})
    made = build_head(request.param.split()[0].strip(","), DIM, LABELS, settings).eval()
    for parameter in made.parameters():  # the BiLSTM's context starts at zero, where it would prove nothing
        torch.nn.init.normal_(parameter, std=0.8)
    return made


def batch() -> torch.Tensor:
    return torch.randn(3, 9, DIM, generator=torch.Generator().manual_seed(1))


def test_shapes_and_padding(head: torch.nn.Module) -> None:
    output: SequenceOutput = head(batch(), LENGTHS)
    assert output.frame_logits.shape == (3, 9, LABELS)
    assert output.clip_logits.shape == (3, LABELS)
    assert torch.allclose(output.attention.sum(1), torch.ones(3))
    for row, length in enumerate(LENGTHS):
        assert (output.frame_logits[row, length:] == 0).all()
        assert (output.attention[row, length:] == 0).all()
        assert (output.attention[row, :length] > 0).all()


def test_padding_and_neighbours_have_no_influence(head: torch.nn.Module) -> None:
    embeddings = batch()
    together: SequenceOutput = head(embeddings, LENGTHS)
    polluted = embeddings.clone()
    for row, length in enumerate(LENGTHS):
        polluted[row, length:] = 1e3
    again: SequenceOutput = head(polluted, LENGTHS)
    for row, length in enumerate(LENGTHS):
        alone: SequenceOutput = head(embeddings[row : row + 1, :length], LENGTHS[row : row + 1])
        for output in (together, again):
            assert torch.allclose(output.frame_logits[row, :length], alone.frame_logits[0], atol=1e-5)
            assert torch.allclose(output.clip_logits[row], alone.clip_logits[0], atol=1e-5)


def test_a_clip_of_one_frame_is_read_like_its_frame(head: torch.nn.Module) -> None:
    output: SequenceOutput = head(batch()[:, :1], torch.ones(3, dtype=torch.int64))
    assert torch.allclose(output.frame_logits[:, 0], output.clip_logits, atol=1e-5)


def test_a_clip_of_one_frame_has_no_context() -> None:
    torch.manual_seed(0)
    head = BiLSTMHead(DIM, LABELS, reach=3).eval()
    torch.nn.init.normal_(head.context.weight)
    output: SequenceOutput = head(batch(), LENGTHS)
    own = head.frame(batch())
    assert torch.allclose(output.frame_logits[1, 0], own[1, 0], atol=1e-5)
    assert not torch.allclose(output.frame_logits[0, 0], own[0, 0], atol=1e-2)


@pytest.mark.parametrize("calm", [0.0, 0.1])
def test_where_nothing_changes_a_calm_head_reads_the_frame_alone(calm: float) -> None:
    torch.manual_seed(0)
    head = BiLSTMHead(DIM, LABELS, reach=3, calm=calm).eval()
    torch.nn.init.normal_(head.context.weight)
    still = batch()[:, :1].expand(-1, 9, -1)
    output: SequenceOutput = head(still, LENGTHS)
    own = head.frame(still[:, 0])
    for row, length in enumerate(LENGTHS):
        said = torch.cat([output.frame_logits[row, :length], output.clip_logits[row, None]])
        alone = torch.allclose(said, own[row].expand_as(said), atol=1e-4)
        assert alone == (calm > 0 or length == 1)


def test_the_context_of_a_calm_head_counts_the_more_the_more_frames_vary() -> None:
    torch.manual_seed(0)
    head, plain = (BiLSTMHead(DIM, LABELS, calm=calm).eval() for calm in (0.5, 0.0))
    torch.nn.init.normal_(head.context.weight)
    plain.load_state_dict(head.state_dict(), strict=False)
    shares = []
    for size in (0.01, 1.0, 100.0):
        clips = size * batch()
        own = head.frame(clips)
        # Of the context's part: by its own variance, whose half is at 0.5.
        context, all_of_it = (one(clips, LENGTHS).frame_logits - own for one in (head, plain))
        shares.append((context[0].norm() / all_of_it[0].norm()).item())
        varies = own[0].var(0, correction=0).mean().item()
        assert shares[-1] == pytest.approx(varies / (varies + 0.5), rel=0.02)
    assert shares[0] < 0.01
    assert shares[2] > 0.99


@pytest.mark.parametrize("calm", [-0.1, float("nan"), float("inf")])
def test_a_calm_head_needs_a_variance(calm: float) -> None:
    with pytest.raises(ModelError, match="calm must be a variance"):
        BiLSTMHead(DIM, LABELS, calm=calm)


def test_an_untrained_bilstm_reads_as_the_mean_does() -> None:
    torch.manual_seed(0)
    bilstm, mean = BiLSTMHead(DIM, LABELS).eval(), MeanHead(DIM, LABELS).eval()
    mean.frame.load_state_dict(bilstm.frame.state_dict())
    first, second = bilstm(batch(), LENGTHS), mean(batch(), LENGTHS)
    assert torch.allclose(first.frame_logits, second.frame_logits, atol=1e-5)
    assert torch.allclose(first.clip_logits, second.clip_logits, atol=1e-5)


def test_the_bilstm_sees_both_ways(head: torch.nn.Module) -> None:
    embeddings = batch()[:1]
    changed = embeddings.clone()
    changed[0, 4] += 1
    lengths = torch.tensor([9])
    moved = (head(embeddings, lengths).frame_logits - head(changed, lengths).frame_logits).abs().sum(2)[0]
    assert moved[4] > 1e-3
    reaches = bool(moved[0] > 1e-6 and moved[8] > 1e-6)
    assert reaches == isinstance(head, BiLSTMHead)


def test_a_mean_of_neighbours_is_weighted_by_distance_and_moves_nothing() -> None:
    near = NearMean(2)
    near.scores.data = torch.tensor([2.0, 1.0, 0.0]).log().nan_to_num(neginf=-1e9)  # 1, 2, 1, parted by 4
    frames = torch.tensor([[[0.0], [0], [8], [0], [0], [99]]])
    mask = torch.tensor([[True, True, True, True, True, False]])
    with torch.no_grad():
        read = near(frames, mask)[0, :5, 0]
    # The fifth frame's next neighbour is not the clip's own; what is at a clip's end has one neighbour less.
    assert read.tolist() == pytest.approx([0, 2, 4, 2, 0], abs=1e-5)


def test_a_mean_of_neighbours_reaches_somewhere() -> None:
    with pytest.raises(ModelError, match="reach must be at least 1"):
        NearMean(0)


def test_outputs_check_their_shapes() -> None:
    with pytest.raises(ValueError, match="shapes do not fit"):
        SequenceOutput(torch.zeros(2, 3, 7), torch.zeros(2, 6), torch.zeros(2, 3))
    assert "frame_logits (2, 3, 7)" in repr(
        SequenceOutput(torch.zeros(2, 3, 7), torch.zeros(2, 7), torch.zeros(2, 3))
    )


def test_unknown_head_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="unknown head 'gru'; known: mean, bilstm"):
        build_head("gru", DIM, LABELS, {})


def test_lengths_may_lie_on_the_cpu_whatever_the_device() -> None:
    # The meta device computes no numbers, but refuses to mix devices as a GPU does.
    head = MeanHead(DIM, LABELS).to("meta").eval()
    output = head(torch.zeros(2, 3, DIM, device="meta"), torch.tensor([3, 2]))
    assert output.frame_logits.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_the_same_numbers_on_a_gpu(head: torch.nn.Module) -> None:
    output: SequenceOutput = head(batch(), LENGTHS)
    there: SequenceOutput = head.cuda()(batch().cuda(), LENGTHS)
    assert torch.allclose(output.frame_logits, there.frame_logits.cpu(), atol=1e-4)


def test_a_temperature_divides_every_logit(head: torch.nn.Module) -> None:
    before: SequenceOutput = head(batch(), LENGTHS)
    soften(head, 2.5)
    after: SequenceOutput = head(batch(), LENGTHS)
    assert torch.allclose(after.frame_logits * 2.5, before.frame_logits, atol=1e-4)
    assert torch.allclose(after.clip_logits * 2.5, before.clip_logits, atol=1e-4)
    assert torch.allclose(after.attention, before.attention, atol=1e-6)
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            soften(head, temperature)
