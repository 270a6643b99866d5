from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from seqfer.errors import OutputError
from seqfer.video import writer
from seqfer.video.opening import open_video
from seqfer.video.types import Frame
from seqfer.video.writer import SoundSource, _Onwards, write_video
from tests.media import numbered_image, read_number, write_clip

UNEVEN = [0.0, 0.04, 0.0536718, 0.2, 0.3333, 0.5]


@pytest.mark.parametrize("size", [(96, 64), (97, 65)])
def test_frames_keep_their_times_to_the_microsecond(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "out.mp4"
    write_video(path, (Frame(k, time, numbered_image(k, *size)) for k, time in enumerate(UNEVEN)))
    with open_video(path) as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx(UNEVEN, abs=1e-6)
    assert [read_number(frame.image[: size[1], : size[0]]) for frame in frames] == list(range(len(UNEVEN)))
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def loudness_start_s(path: Path) -> float:
    """When the sound begins, in seconds after the first frame shown."""
    with av.open(str(path)) as container:
        first = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(np.float64))
            loud = np.flatnonzero(samples.reshape(-1) > 0.05 * (1 if samples.max() <= 1.5 else 32768))
            if len(loud):
                return float(frame.time + loud[0] / frame.sample_rate - first)
    raise AssertionError("the sound is silent")


SOUND_KINDS = [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.mkv", "libopus"), ("a.mkv", "ac3"), ("a.mkv", "libmp3lame")]


@pytest.mark.parametrize(
    ("file", "codec", "start_s"),
    # AVI has no start times.
    [("a.avi", "mp2", 0.0), *((file, codec, start) for file, codec in SOUND_KINDS for start in (0.0, 0.2, 1.5))],
)
def test_sound_is_kept_in_sync(tmp_path: Path, file: str, codec: str, start_s: float) -> None:
    times = [k / 25 for k in range(50)]
    video_codec = "mpeg4" if file.endswith("avi") else "libx264"
    source = write_clip(tmp_path / file, times, audio=codec, start_s=start_s, codec=video_codec)
    path = tmp_path / "out.mp4"
    with open_video(source) as video:
        write_video(path, video, sound=SoundSource(source, video.info.start_s))
    assert loudness_start_s(path) == pytest.approx(loudness_start_s(source), abs=0.03)
    with av.open(str(path)) as container:
        kept = container.streams.audio[0].codec_context.codec.canonical_name
        assert kept == ("mp3" if codec == "libmp3lame" else "aac")
        last = [frame.time for frame in container.decode(audio=0)][-1]
    assert last == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("codec", ["aac", "ac3", "mp2"])
def test_sound_goes_on_where_recordings_were_joined(tmp_path: Path, codec: str) -> None:
    one = write_clip(tmp_path / "one.ts", [k / 25 for k in range(25)], audio=codec)
    source = tmp_path / "joined.ts"
    source.write_bytes(one.read_bytes() * 2)
    path = tmp_path / "out.mp4"
    with open_video(source) as video:
        write_video(path, video, sound=SoundSource(source, video.info.start_s))
    for kind in ("audio", "video"):
        with av.open(str(path)) as container:
            times = [frame.time for frame in container.decode(getattr(container.streams, kind)[0])]
        assert times == sorted(times)
        assert times[-1] == pytest.approx(2.0, abs=0.15)


def test_sound_is_moved_only_where_its_clock_is_set_back() -> None:
    times = _Onwards()
    stamps = [0, 1, 2, 3, 3, 4, 700, 701, 20, 21, 21, 600]  # in a coarse clock, two pieces may begin at once
    placed = [times.place(stamp, 2, Fraction(1, 1000)) for stamp in stamps]
    assert placed == [0, 1, 2, 3, 4, 5, 700, 701, 703, 704, 705, 1283]


def test_sound_of_other_kinds_is_encoded_anew(tmp_path: Path, shared_videos: Path) -> None:
    source = shared_videos / "GRID" / "bbaf2n.mpg"  # MP2
    path = tmp_path / "out.mp4"
    with open_video(source) as video:
        write_video(path, video, sound=SoundSource(source, video.info.start_s))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name.startswith("aac")
        frames = list(container.decode(audio=0))
    assert sum(frame.samples for frame in frames) / frames[0].sample_rate == pytest.approx(2.98, abs=0.06)


def test_a_source_without_sound_is_fine(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", [0.0, 0.04, 0.08])
    with open_video(source) as video:
        write_video(tmp_path / "out.mp4", video, sound=SoundSource(source))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_sound_that_ffmpeg_does_not_know_is_left_out(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", [k / 25 for k in range(10)], audio="ac3")
    content = source.read_bytes()
    assert b"ac-3" in content
    source.write_bytes(content.replace(b"ac-3", b"xy-3"))
    with open_video(source) as video:
        write_video(tmp_path / "out.mp4", video, sound=SoundSource(source))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
        assert len(list(container.decode(video=0))) == 10


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def frames() -> object:
        yield Frame(0, 0.0, numbered_image(0))
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "out.mp4", frames())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "file" / "out.mp4", [Frame(0, 0.0, numbered_image(0))])


def test_a_piece_of_sound_that_the_muxer_refuses_is_left_out() -> None:
    class Refusing:
        def mux(self, packet: object) -> None:
            raise av.error.InvalidDataError(1, "Invalid data found when processing input")

    writer._mux_sound(Refusing(), None)  # type: ignore[arg-type]
