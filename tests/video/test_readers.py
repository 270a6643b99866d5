"""The contract of a stream of frames, whatever the container: which come, in what order, at what times."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqfer.video.opening import open_video
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
