from __future__ import annotations

import os
import random
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from seqfer.annotation import Annotator
from seqfer.errors import VideoError
from seqfer.video.opening import open_video
from tests.media import read_number, write_clip, write_clip_of_varying_rate

STEADY = [k / 25 for k in range(60)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"just a text\n" * 50, "is not a video"), (bytes(range(256)) * 40, "is not a video")],
)
def test_what_is_no_video(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=problem) as caught:
        open_video(path)
    assert "\n" not in str(caught.value)
    assert caught.value.path == path


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        open_video(tmp_path / "clip.mp4")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(16_000))
    with pytest.raises(VideoError, match="holds no video"):
        open_video(path)


def test_a_coding_that_ffmpeg_does_not_know_is_named(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", STEADY[:5])
    content = path.read_bytes()
    assert content.count(b"avc1") >= 1
    path.write_bytes(content.replace(b"avc1", b"xyz1"))
    with pytest.raises(VideoError, match="this FFmpeg does not know"):
        open_video(path)


@pytest.mark.parametrize(
    ("start_s", "length_s", "shown"),
    [(0.0, 1.2, 30), (0.8, 1.6, 40), (0.8, 0.8, 20)],
    ids=["end", "start", "both"],
)
def test_a_clip_that_was_trimmed_without_encoding_it_anew_is_whole(
    tmp_path: Path, start_s: float, length_s: float, shown: int
) -> None:
    path = trimmed(write_clip(tmp_path / "clip.mp4", STEADY), start_s, length_s)
    with open_video(path) as stream:
        numbers = [read_number(frame.image) for frame in stream]
        report = stream.report
    first = round(start_s * 25)
    assert numbers == list(range(first, first + shown))
    assert (report.lost, report.truncated) == (0, False)


def trimmed(path: Path, start_s: float, length_s: float) -> Path:
    """Change an MP4's edit list, as phones and players do to trim it."""
    content = bytearray(path.read_bytes())
    movie = content.index(b"mvhd") + 4
    movie_rate = int.from_bytes(content[movie + 12 : movie + 16], "big")
    media = content.index(b"mdhd") + 4
    media_rate = int.from_bytes(content[media + 12 : media + 16], "big")
    edits = content.index(b"elst") + 4
    assert int.from_bytes(content[edits + 4 : edits + 8], "big") == 1
    content[edits + 8 : edits + 12] = round(length_s * movie_rate).to_bytes(4, "big")
    content[edits + 12 : edits + 16] = round(start_s * media_rate).to_bytes(4, "big")
    path.write_bytes(content)
    return path


def test_a_repeated_time_shifts_no_other(tmp_path: Path) -> None:
    # Matroska keeps whole milliseconds: two of these become one.
    times = [0.0, 0.04, 0.08, 0.0802, 0.12, 0.16, 0.2]
    with open_video(write_clip(tmp_path / "clip.mkv", times)) as stream:
        found = [frame.time_s for frame in stream]
    assert found == pytest.approx([0.0, 0.04, 0.08, 0.080001, 0.12, 0.16, 0.2], abs=1e-9)


def test_a_rate_that_varies_and_is_not_stated(tmp_path: Path) -> None:
    times = [k / 25 + 0.011 * (k % 3) for k in range(100)]
    path = write_clip_of_varying_rate(tmp_path / "clip.mkv", times)
    with open_video(path) as stream:
        assert (stream.info.frame_rate, stream.info.is_still) == (None, False)
        assert [frame.time_s for frame in stream] == pytest.approx(times, abs=1e-3)
        assert stream.report.end_s == pytest.approx(times[-1] + 0.04, abs=0.02)
        assert not stream.report.truncated
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as stream:
        shown = len(list(stream))
        report = stream.report
    assert report.truncated
    assert report.decoded == shown < 80
    assert report.decoded + report.lost == pytest.approx(100, abs=3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is no file"):
        open_video(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is no file"):
        Annotator().annotate(tmp_path / "pipe.mp4")


def test_where_the_clock_is_set_back_time_goes_on(tmp_path: Path) -> None:
    # Two transport streams, one behind the other, as recorders leave them.
    one = write_clip(tmp_path / "one.ts", STEADY[:30], start_s=5)
    (tmp_path / "two.ts").write_bytes(one.read_bytes() * 2)
    with open_video(tmp_path / "two.ts") as stream:
        times = [frame.time_s for frame in stream]
    assert len(times) == 60
    assert times == pytest.approx([k / 25 for k in range(60)], abs=0.05)


def flv_tags(content: bytes | bytearray, kind: int) -> list[int]:
    """Where the tags of a kind (8 is sound, 9 video) begin in an FLV file."""
    found, place = [], 13
    while place < len(content):
        if content[place] == kind:
            found.append(place)
        place += 15 + int.from_bytes(content[place + 1 : place + 4], "big")
    return found


@pytest.mark.parametrize(
    ("place", "damage"), [(7, b"\x01"), (4, bytes(3))], ids=["far ahead", "back to the beginning"]
)
def test_one_damaged_time_moves_no_other_frame(tmp_path: Path, place: int, damage: bytes) -> None:
    path = write_clip(tmp_path / "clip.flv", STEADY, codec="flv")
    content = bytearray(path.read_bytes())
    tag = flv_tags(content, 9)[30]
    content[tag + place : tag + place + len(damage)] = damage
    path.write_bytes(content)
    with open_video(path) as stream:
        times = [frame.time_s for frame in stream]
        assert times == pytest.approx(STEADY, abs=2e-3)
        assert stream.report.damaged == 1


def test_frames_that_truly_come_late_keep_their_time(tmp_path: Path) -> None:
    times = [*STEADY[:5], *(100 + time for time in STEADY[:5]), 200.0]
    with open_video(write_clip(tmp_path / "clip.mkv", times)) as stream:
        assert [frame.time_s for frame in stream] == pytest.approx(times, abs=1e-3)
        assert stream.report.damaged == 0


def test_a_packet_of_a_stream_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.flv", STEADY, codec="flv")
    content = bytearray(path.read_bytes())
    content[flv_tags(content, 9)[20]] = 8  # sound, of which the header knows nothing
    path.write_bytes(content)
    with open_video(path) as stream:
        shown = len(list(stream))
    assert 20 <= shown < 60


def test_a_title_in_any_code_page_is_no_matter(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", STEADY[:5], codec="mpeg4")
    content = path.read_bytes()
    place = content.index(b"ISFT") + 8  # the name of the writing program, which ends with a zero
    path.write_bytes(content[:place] + b"Caf\xe9" + content[place + 4 :])
    with open_video(path) as stream:
        assert len(list(stream)) == 5


def test_a_video_is_as_long_as_its_pictures_whatever_its_sound(tmp_path: Path) -> None:
    def second(time: float) -> float:
        return time if time < 1 else time + 7  # one last picture for the sound to go on with

    whole = write_clip(tmp_path / "sound.mkv", [second(k / 25) for k in range(26)], audio=True)
    cut = tmp_path / "clip.mkv"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            late = packet.stream.type == "video" and (packet.pts or 0) * packet.time_base > 1
            if packet.dts is not None and not late:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    with av.open(str(cut)) as container:
        assert (container.duration or 0) / av.time_base > 7
    with open_video(cut) as stream:
        assert stream.info.duration_s == pytest.approx(1.0, abs=0.1)


def test_an_mp4_cut_off_before_its_index_is_no_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", STEADY)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match="cut off"):
        open_video(path)


def test_a_cut_off_file_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    import av

    whole = write_clip(tmp_path / "whole.mp4", STEADY)
    fast = tmp_path / "fast.mp4"  # the same with its index in front, as for streaming
    with av.open(str(whole)) as source, av.open(str(fast), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    fast.write_bytes(fast.read_bytes()[: fast.stat().st_size * 6 // 10])
    with open_video(fast) as video:
        frames = list(video)
    assert 10 < len(frames) < 60
    assert [read_number(frame.image) for frame in frames[:10]] == list(range(10))
    report = video.report
    assert report.truncated
    assert report.decoded + report.lost == 60


def test_a_damaged_stream_gives_the_frames_that_decode(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", STEADY)
    data = bytearray(path.read_bytes())
    start, end = data.find(b"mdat") + 800, data.find(b"moov")
    chooser = random.Random(4)
    for _ in range(120):
        data[chooser.randrange(start, end - 100)] ^= 0xFF
    path.write_bytes(data)
    with open_video(path) as video:
        frames = list(video)
    report = video.report
    assert 0 < len(frames) == report.decoded
    assert report.lost + report.damaged > 0
    assert report.decoded + report.lost == 60
    assert not report.truncated
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))


def test_square_pixels(tmp_path: Path) -> None:
    # A DV recording: 720x576 shown as 4:3.
    path = write_clip(tmp_path / "dv.mp4", STEADY[:3], size=(90, 72), aspect=Fraction(16, 15))
    with open_video(path) as video:
        frame = next(iter(video))
    assert frame.image.shape == (72, 96, 3)
    assert (video.info.width, video.info.height) == (96, 72)
    assert read_number(frame.image) == 0


def test_leaving_in_the_middle_is_fine(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", STEADY)
    with open_video(path) as video:
        assert next(iter(video)).index == 0
    path.unlink()


@pytest.mark.parametrize(
    ("clip", "frames", "lost"),
    [
        ("pyfeat/WolfgangLanger_Pexels.mp4", 472, 0),
        ("pyfeat/face_noface.mov", 169, 0),
        ("pyfeat/no_face.mp4", 95, 0),  # three more lie outside its edit list
        ("broken/decord_corrupted.mp4", 49, 1),
        ("broken/decord_unordered.mov", 4, 0),
        ("broken/moviepy_no_duration.webm", 74, 0),
        ("broken/moviepy_1x1_bitmap.mp4", 5, 0),
        ("GRID/bbaf2n.mpg", 75, 0),
        ("formats/torchcodec_av1.mkv", 125, 0),
        ("rotation/moviepy_fire2_rot180_vfr.mp4", 25, 0),
    ],
)
def test_real_clips(shared_videos: Path, clip: str, frames: int, lost: int) -> None:
    import av

    with open_video(shared_videos / clip) as video:
        times = [frame.time_s for frame in video]
    assert (len(times), video.report.lost) == (frames, lost)
    with av.open(str(shared_videos / clip)) as container:
        stamps = []
        for packet in container.demux(container.streams.video[0]):
            try:
                stamps += [(frame.pts or 0) * (frame.time_base or Fraction(1)) for frame in packet.decode()]
            except av.FFmpegError:
                continue
    assert times == pytest.approx([float(stamp - stamps[0]) for stamp in stamps], abs=1e-9)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_real_turned_clips_agree_with_decord(shared_videos: Path, turn: int) -> None:
    decord = pytest.importorskip("decord", reason="decord has no wheel for this machine")
    path = shared_videos / "rotation" / f"decord_video_{turn}.mov"
    with open_video(path) as video:
        frame = next(iter(video))
    other = decord.VideoReader(str(path))[0].asnumpy()
    assert frame.image.shape == other.shape
    assert abs(frame.image.astype(int) - other).mean() < 1
