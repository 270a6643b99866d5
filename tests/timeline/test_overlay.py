from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from seqfer.timeline.colours import rgb_of
from seqfer.timeline.overlay import write_overlay
from seqfer.video.opening import open_video
from tests.media import write_clip, write_clip_of_varying_rate
from tests.timeline.examples import spans, timeline

UNEVEN = [0.0, 0.04, 0.11, 0.15, 0.3, 0.34, 0.38, 0.5]


def test_timing_sound_and_boxes(tmp_path: Path) -> None:
    grey = [np.full((360, 640, 3), 90, np.uint8)] * len(UNEVEN)
    source = write_clip(tmp_path / "clip.mp4", UNEVEN, size=(640, 360), images=grey, audio=True)
    made = timeline({20: spans([("", 2), ("happy", 4)])}, frames=8, times=UNEVEN, path=source)
    calls = []
    write_overlay(made, tmp_path / "overlay.mp4", progress=lambda done, total: calls.append((done, total)))
    with open_video(tmp_path / "overlay.mp4") as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx(UNEVEN, abs=2e-5)
    assert calls[-1] == (8, 8)
    # The left edge of the box, x = 200, is yellow where the face is seen and grey where it is not.
    edges = [frame.image[30:60, 198:203].reshape(-1, 3).astype(int) for frame in frames]
    yellow = [np.abs(edge - np.array(rgb_of("happy"))).sum(1).min() < 60 for edge in edges]
    assert yellow == [False, False, True, True, True, True, False, False]
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(container.streams.audio) == 1


def test_a_rate_that_varies_and_is_not_stated_keeps_its_sound(tmp_path: Path) -> None:
    source = write_clip_of_varying_rate(tmp_path / "clip.mkv", UNEVEN, audio=True)
    write_overlay(timeline({}, frames=8, times=UNEVEN, path=source), tmp_path / "overlay.mp4")
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_frames_that_were_not_read_keep_the_last_box(tmp_path: Path) -> None:
    times = [k / 25 for k in range(6)]
    source = write_clip(tmp_path / "clip.mp4", times, size=(96, 64))
    made = timeline({1: {0: "sad", 1: "sad"}}, frames=2, times=[0.0, 0.12], path=source)
    object.__setattr__(made, "frame_index", np.array([0, 3]))
    write_overlay(made, tmp_path / "overlay.mp4")
    with open_video(tmp_path / "overlay.mp4") as video, open_video(source) as original:
        changed = [np.abs(a.image.astype(int) - b.image).max() > 60 for a, b in zip(video, original, strict=True)]
    assert changed == [True] * 6


def test_every_face_of_a_frame_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, float, str]] = []

    def noted(image: object, faces: Sequence[tuple[list[float], int, np.ndarray]], names: Sequence[str]) -> None:
        drawn.extend((track, box[0], names[int(shares.argmax())]) for box, track, shares in faces)

    monkeypatch.setattr("seqfer.timeline.overlay.draw_faces", noted)
    times = [0.0, 0.04]
    source = write_clip(tmp_path / "clip.mp4", times, size=(320, 180))
    made = timeline({1: {0: "sad", 1: "sad"}, 2: {0: "happy"}}, 2, times=times, path=source)
    write_overlay(made, tmp_path / "overlay.mp4")
    assert drawn == [(1, 10.0, "sad"), (2, 20.0, "happy"), (1, 10.0, "sad")]
