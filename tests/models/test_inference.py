from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqfer.errors import OptionError
from seqfer.models.bundled import load_model
from seqfer.models.classifier import Architecture, SequenceClassifier
from seqfer.models.heads import BiLSTMHead
from seqfer.models.inference import (
    FACES_AT_ONCE,
    Predictor,
    choose_device,
    choose_precision,
    interpolate,
    network_threads,
    overlapping_windows,
    read_crops,
    resample,
    stitch,
)

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"stem_width": 8, "widths": (8, 16), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(load_model("compact").model, CPU, "float32")


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)


def test_folding_changes_nothing(predictor: Predictor) -> None:
    model = load_model("compact").model
    images = model.architecture.preprocess(torch.from_numpy(crops(6)))
    with torch.inference_mode():
        expected = model.encoder(images).numpy()
    assert np.abs(predictor.encode(crops(6)) - expected).max() < 5e-3  # float16's rounding


def test_half_the_bits_give_nearly_the_same_probabilities(predictor: Predictor) -> None:
    fast = Predictor(load_model("compact").model, CPU, "bfloat16")
    exact = predictor.read_stills(predictor.encode(crops(64)))
    assert np.abs(fast.read_stills(fast.encode(crops(64))) - exact).max() < 0.02


def test_a_track_of_one_face_is_read_like_a_still(predictor: Predictor) -> None:
    embeddings = predictor.encode(crops(1))
    track = predictor.read_track(embeddings, np.array([4.2]))
    assert track == pytest.approx(predictor.read_stills(embeddings), abs=1e-5)
    assert track.sum() == pytest.approx(1, abs=1e-5)


@pytest.fixture(scope="module")
def mindful() -> Predictor:
    """A model whose head says nothing but what its memory of about a third of a second says."""
    torch.manual_seed(0)
    model = SequenceClassifier(Architecture(encoder_settings=SMALL, head="bilstm", head_settings={"width": 16}))
    head = model.head
    assert isinstance(head, BiLSTMHead)
    with torch.no_grad():
        torch.nn.init.zeros_(head.frame.weight)
        torch.nn.init.normal_(head.context.weight, std=1.5)
        for name, weight in head.lstm.named_parameters():
            # Rows 16 to 31 are the forget gate's: it keeps sigmoid(2), which is 0.88, from step to step.
            if name.startswith("weight_hh"):
                weight.zero_()
            else:
                weight[16:32] = 2.0 if name.startswith("bias_ih") else 0.0
    return Predictor(model, CPU, "float32")


def change(times: np.ndarray, at_s: float = 1.5) -> np.ndarray:
    """Embeddings of a face that changes at a moment."""
    before, after = np.random.default_rng(1).normal(size=(2, SMALL["widths"][-1]))
    return np.where((times < at_s)[:, None], before, after).astype(np.float16)


def test_the_head_reads_seconds_not_frames(mindful: Predictor) -> None:
    # The same change at four frame rates, one of them uneven, is remembered for the same time.
    moments = np.arange(0.5, 2.5, 0.1)
    moments = moments[np.abs(moments - 1.5) > 0.12]  # at 10 Hz the moment of the change itself is not known
    steady = np.arange(0, 3, 1 / 25)

    def at_moments(times: np.ndarray) -> np.ndarray:
        return interpolate(mindful.read_track(change(times), times), times, moments)

    reference = at_moments(steady)
    for times in (
        np.arange(0, 3, 1 / 60),
        np.arange(0, 3, 1 / 10),
        np.sort(np.random.default_rng(0).random(150) * 3),
    ):
        # Read frame by frame, the change would be remembered for as many frames, not seconds.
        raw = torch.from_numpy(change(times)).float()[None]
        with torch.inference_mode():
            frames = mindful._head(raw, torch.tensor([len(times)])).frame_logits[0].softmax(1).numpy()
        wrong = np.abs(interpolate(frames, times, moments) - reference).max()
        assert wrong > 0.2
        assert np.abs(at_moments(times) - reference).max() < 0.6 * wrong


def test_a_long_gap_parts_a_track(mindful: Predictor) -> None:
    times = np.concatenate([np.arange(10) / 25, 5 + np.arange(10) / 25])
    embeddings = change(times)
    parted = mindful.read_track(embeddings, times)
    first = mindful.read_track(embeddings[:10], times[:10])
    second = mindful.read_track(embeddings[10:], times[10:])
    assert parted == pytest.approx(np.concatenate([first, second]), abs=1e-5)
    near = np.concatenate([times[:10], times[10:] - 4.6])  # 0.04 s between them: no gap
    assert np.abs(mindful.read_track(embeddings, near) - parted).max() > 0.1


def test_parts_of_a_clip_weigh_as_long_as_they_are(mindful: Predictor) -> None:
    """A stray frame a second before the others says little of the clip."""
    times = np.concatenate([[0.0], 1 + np.arange(75) / 25])
    embeddings = change(times, at_s=0.5)
    stray = mindful.read_clip(embeddings[:1], times[:1])[1]
    rest = mindful.read_clip(embeddings[1:], times[1:])[1]
    assert np.abs(stray - rest).max() > 0.3
    together = mindful.read_clip(embeddings, times)[1]
    assert together == pytest.approx((stray + 75 * rest) / 76, abs=1e-3)


def test_every_window_of_a_clip_counts(mindful: Predictor) -> None:
    """Two and a half windows, a long gap, and less than half a window."""
    window = mindful.window
    count, rest = window * 5 // 2, window * 2 // 5
    times = np.concatenate([np.arange(count) / 25, 99 + np.arange(rest) / 25])
    embeddings = np.random.default_rng(0).normal(size=(len(times), SMALL["widths"][-1])).astype(np.float16)

    def alone(part: slice) -> np.ndarray:
        return mindful.read_clip(embeddings[part], times[part])[1]

    parts = [*overlapping_windows(count, window, window // 2), slice(count, count + rest)]
    expected = np.average(
        [alone(part) for part in parts], axis=0, weights=[part.stop - part.start for part in parts]
    )
    assert mindful.read_clip(embeddings, times)[1] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    "times",
    [np.sort(np.random.default_rng(0).random(400) * 20), np.arange(500) / 25, np.arange(1000) / 50 + 0.01],
    ids=["anyhow", "twice the rate", "four times the rate"],
)
def test_a_part_of_a_grid_reads_what_the_whole_reads(times: np.ndarray) -> None:
    """However long the track, only what lies near the part counts."""
    values = np.random.default_rng(1).normal(size=(len(times), 3)).astype(np.float32)
    grid = times[0] + np.arange(0, 19.9, 0.08)
    whole = resample(values, times, grid, 0.08)
    for part in (slice(0, 5), slice(60, 90), slice(61, 90), slice(100, 101), slice(240, 249)):
        assert resample(values, times, grid[part], 0.08) == pytest.approx(whole[part], abs=1e-6)


@pytest.mark.parametrize("multiple", [2, 4, 6])
def test_every_step_of_a_grid_takes_as_much_of_an_even_video(multiple: int) -> None:
    """Frames halfway between two steps belong to neither alone: steps would take ever more and less in turns."""
    values = np.eye(40 * multiple, dtype=np.float32)  # each frame's share in each step
    times = np.arange(len(values)) / (12.5 * multiple)
    shares = resample(values, times, np.arange(40) / 12.5, 0.08)
    inner = shares[1:-1]
    assert inner.sum(1) == pytest.approx(np.ones(len(inner)), abs=1e-6)
    assert np.square(inner).sum(1) == pytest.approx(np.full(len(inner), np.square(inner[0]).sum()), abs=1e-6)
    for step, share in enumerate(inner, start=1):  # alike before and after
        assert share @ times == pytest.approx(step / 12.5, abs=1e-5)


@pytest.mark.parametrize("frames", [2, 3, 4, 50, 51])
def test_a_clip_is_read_alike_wherever_it_lies_in_its_file(mindful: Predictor, frames: int) -> None:
    """Also where its last frame is halfway between two steps."""
    times = np.arange(frames) / (2 * mindful.architecture.frame_rate)
    embeddings = change(times, at_s=0.02)
    at_once, as_whole = mindful.read_clip(embeddings, times)
    for offset_s in np.random.default_rng(0).random(20) * 100:
        by_frame, by_clip = mindful.read_clip(embeddings, np.round(times + offset_s, 6))
        assert by_frame == pytest.approx(at_once, abs=1e-4)
        assert by_clip == pytest.approx(as_whole, abs=1e-4)


def test_windows_are_stitched_without_seams(mindful: Predictor) -> None:
    # Half a minute in overlapping windows, against the same in one piece.
    times = np.arange(750) / 25
    embeddings = change(np.sin(times), at_s=0)
    stitched = mindful.read_track(embeddings, times)
    clip = torch.from_numpy(embeddings).float()[None]
    with torch.inference_mode():
        whole = mindful._head(clip, torch.tensor([750])).frame_logits[0].softmax(1).numpy()
    assert np.abs(stitched - whole).max() < 0.15
    assert np.abs(stitched - whole).mean() < 0.01
    # The same windows side by side know nothing of what came before.
    pieces = [mindful.read_track(embeddings[k : k + 50], times[k : k + 50]) for k in range(0, 750, 50)]
    assert np.abs(np.concatenate(pieces) - whole).max() > 0.5


@pytest.mark.parametrize("times", [[0.0, 0.0], [1.0, 0.5]])
def test_times_must_increase(predictor: Predictor, times: list[float]) -> None:
    with pytest.raises(ValueError, match="increase"):
        predictor.read_track(predictor.encode(crops(2)), np.array(times))


def test_stills_are_read_alone_whatever_the_batch() -> None:
    torch.manual_seed(0)
    predictor = Predictor(SequenceClassifier(Architecture(encoder_settings=SMALL)), CPU)
    many = crops(FACES_AT_ONCE + 3)
    whole = read_crops(predictor, many)
    assert whole.shape == (len(many), 7)
    alone = np.concatenate([read_crops(predictor, one[None]) for one in many])
    assert np.allclose(whole, alone, atol=0.02)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 400), st.integers(2, 60), st.data())
def test_windows_cover_everything_and_are_full(count: int, window: int, data: st.DataObject) -> None:
    hop = data.draw(st.integers(1, window))
    windows = overlapping_windows(count, window, hop)
    assert {i for w in windows for i in range(w.start, w.stop)} == set(range(count))
    assert all(w.stop - w.start == min(window, count) for w in windows)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**31))
def test_stitching_windows_of_one_sequence_gives_it_back(count: int, seed: int) -> None:
    sequence = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    windows = overlapping_windows(count, 40, 20)
    assert stitch(np.stack([sequence[w] for w in windows]), windows) == pytest.approx(sequence, abs=1e-5)


def test_interpolation_is_numpys() -> None:
    generator = np.random.default_rng(0)
    times = np.sort(generator.random(30)) * 10.0
    values = generator.normal(size=(30, 4)).astype(np.float32)
    at = np.linspace(-1.0, 11.0, 77)
    expected = np.stack([np.interp(at, times, column) for column in values.T], 1)
    assert interpolate(values, times, np.asarray(at, np.float64)) == pytest.approx(expected, abs=1e-5)


def test_resampling_to_its_own_times_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    times = np.arange(50) / 25
    assert resample(values, times, times, 1 / 25) == pytest.approx(values, abs=1e-6)


def test_no_frame_of_a_fast_video_is_passed_over() -> None:
    # 100 frames a second onto 25: each step is the mean of those nearest to it.
    times = np.arange(400) / 100
    values = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    grid = np.arange(100) / 25.0
    resampled = resample(values, times, grid, 1 / 25)
    assert resampled[10] == pytest.approx(values[38:43].mean(0), abs=0.6)
    assert resampled.mean(0) == pytest.approx(values.mean(0), abs=0.02)
    assert resampled.std() < 0.7 * values.std()


def test_several_threads_leave_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        first, second = network_threads(1), network_threads(2)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_devices_and_precisions() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(OptionError, match="unknown device 'tpu'; known: auto, cpu, cuda, mps"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match="'cuda' is not available here"):
            choose_device("cuda")
    assert choose_precision("float32", CPU) == torch.float32
    assert choose_precision("auto", CPU) in (torch.float32, torch.bfloat16)
    with pytest.raises(OptionError, match="unknown precision"):
        choose_precision("int8", CPU)


def test_a_clip_that_is_shorter_than_a_step_is_read_whole() -> None:
    values = np.array([[1.0], [2.0], [6.0]], np.float32)
    assert resample(values, np.arange(3) / 25, np.zeros(1), 1 / 5) == pytest.approx(np.array([[3.0]]))
