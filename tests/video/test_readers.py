"""The contract of both ways to read a video: streaming by PyAV, and sampling by decord or PyAV."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqfer.video import sampling
from seqfer.video.opening import open_video
from seqfer.video.sampling import sample_clip
from tests.media import read_number, write_clip

STEADY = tuple(k / 25 for k in range(30))
# A phone in the dark: 30 frames a second, then 10, then 30 again.
VARIABLE = tuple(np.cumsum([0, *[1 / 30] * 10, *[1 / 10] * 8, *[1 / 30] * 10]).tolist())


@dataclass(frozen=True)
class Case:
    name: str
    file: str = "clip.mp4"
    times_s: tuple[float, ...] = STEADY
    size: tuple[int, int] = (96, 64)
    settings: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("constant rate"),
    Case("variable rate", times_s=VARIABLE),
    Case("B-frames", settings={"b_frames": 3}),
    Case("B-frames at variable rate", times_s=VARIABLE, settings={"b_frames": 2}),
    Case("turned by 90", settings={"rotation_deg": 90}),
    Case("turned by 180", settings={"rotation_deg": 180}),
    Case("turned by 270", settings={"rotation_deg": 270}),
    Case("odd size", size=(97, 65)),
    Case("starts late", settings={"start_s": 1.5}),
    Case("starts late, Matroska", file="clip.mkv", settings={"start_s": 1.5}),
    Case("transport stream", file="clip.ts", settings={"start_s": 1.4}),
    Case("one frame", times_s=(0.0,)),
    Case("with sound", settings={"audio": True}),
    Case("MPEG-4 in AVI", file="clip.avi", settings={"codec": "mpeg4"}),
    Case("GIF", file="clip.gif", times_s=tuple(k / 10 for k in range(12)), settings={"codec": "gif"}),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    case: Case = request.param
    path = tmp_path_factory.mktemp("clips") / case.file
    return case, write_clip(path, case.times_s, case.size, **case.settings)


def time_tolerance(case: Case) -> float:
    # Matroska holds whole milliseconds, GIF whole hundredths of a second.
    return {".mkv": 1e-3, ".gif": 1e-2}.get(Path(case.file).suffix, 1.5 / 90_000)


def test_streaming(clip: tuple[Case, Path]) -> None:
    case, path = clip
    with open_video(path) as stream:
        frames = list(stream)
    assert (stream.info.width, stream.info.height) == case.size
    assert stream.info.rotation_deg == case.settings.get("rotation_deg", 0)
    assert [frame.index for frame in frames] == list(range(len(case.times_s)))
    assert [read_number(frame.image) for frame in frames] == list(range(len(case.times_s)))
    assert [frame.time_s for frame in frames] == pytest.approx(case.times_s, abs=time_tolerance(case))
    report = stream.report
    assert (report.decoded, report.lost, report.damaged, report.truncated) == (len(case.times_s), 0, 0, False)
    assert report.end_s > frames[-1].time_s


@pytest.mark.parametrize("sampler", ["decord", "PyAV"])
def test_sampling_gives_the_streamed_frames(
    clip: tuple[Case, Path], sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = clip
    if sampler == "PyAV":
        monkeypatch.setitem(sys.modules, "decord", None)
    else:
        pytest.importorskip("decord", reason="decord has no wheel for this machine")
    with open_video(path) as stream:
        streamed = list(stream)
    last = streamed[-1].time_s
    wanted = [last * share for share in (0.0, 0.55, 0.55, 0.21, 1.0)] + [-1.0, last + 10]
    sampled = sample_clip(path, wanted)
    assert len(sampled) == len(wanted)
    for moment, frame in zip(wanted, sampled, strict=True):
        shown = max((s for s in streamed if s.time_s <= moment + 1e-6), key=lambda s: s.index, default=streamed[0])
        assert frame.index == shown.index
        assert frame.time_s == pytest.approx(shown.time_s, abs=1e-9)
        assert frame.image.shape == shown.image.shape
        assert read_number(frame.image) == read_number(shown.image)
        assert np.abs(frame.image.astype(int) - shown.image).mean() < 4


@pytest.mark.parametrize("sampler", ["decord", "PyAV"])
def test_sampling_scales_upright_frames(
    clip: tuple[Case, Path], sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, path = clip
    if sampler == "PyAV":
        monkeypatch.setitem(sys.modules, "decord", None)
    frame = sample_clip(path, [case.times_s[-1]], size=(80, 56))[0]
    assert frame.image.shape == (56, 80, 3)
    assert read_number(frame.image) == len(case.times_s) - 1


def test_decord_itself_reads_ordinary_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The fallback must not hide that decord is never used.
    pytest.importorskip("decord", reason="decord has no wheel for this machine")
    monkeypatch.setattr(sampling, "sample_by_pyav", lambda *_: pytest.fail("decord was not used"))
    path = write_clip(tmp_path / "clip.mp4", STEADY)
    assert [frame.index for frame in sample_clip(path, [0.0, 0.4])] == [0, 10]
