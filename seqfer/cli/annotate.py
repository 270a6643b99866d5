"""`seqfer annotate`: videos in, a folder with a timeline for each out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import counted, error_line, out, progress, remark_line, say
from seqfer.cli.decoding import faults_of
from seqfer.errors import OutputError, SeqferError, VideoError
from seqfer.files import printable

if TYPE_CHECKING:
    from seqfer.annotation import Annotator
    from seqfer.timeline.types import Timeline
    from seqfer.video.types import VideoInfo


@dataclass(frozen=True)
class Settings:
    """What is done with every video alike."""

    formats: tuple[str, ...]
    overlay: bool
    overwrite: bool


@dataclass(frozen=True)
class Outcome:
    """What came of one video: its timeline, and, if not all is well, what is not."""

    video: Path
    timeline: Timeline | None = None
    folder: Path | None = None
    frames_per_s: float = 0.0
    problem: str | None = None


def annotate(
    videos: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO...",
            help="Video files, folders of videos, folders of numbered pictures, GIFs or still images.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("seqfer-out"),
    model: Annotated[
        str, typer.Option(help="A bundled model (see `seqfer models`) or a model's folder.")
    ] = "compact",
    detector: Annotated[str, typer.Option(help="mediapipe or haar.")] = "mediapipe",
    every: Annotated[int, typer.Option(metavar="N", help="Read every N-th frame only.")] = 1,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write the video with the faces drawn in.")
    ] = False,
    formats: Annotated[
        str, typer.Option("--format", help="Any of csv, json and parquet, by commas.")
    ] = "csv,json",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16; auto is bfloat16 on CPUs with instructions for it.")
    ] = "auto",
    picture_rate: Annotated[
        float, typer.Option(metavar="FPS", help="Pictures per second of a folder of pictures.")
    ] = 25.0,
    smoothing: Annotated[float, typer.Option(metavar="S", help="Segments: width of the moving average.")] = 0.25,
    onset: Annotated[float, typer.Option(metavar="P", help="Segments: probability that starts one.")] = 0.5,
    offset: Annotated[float, typer.Option(metavar="P", help="Segments: probability below which it ends.")] = 0.35,
    min_duration: Annotated[float, typer.Option(metavar="S", help="Segments: shortest that counts.")] = 0.25,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")] = False,
) -> None:
    """Annotate videos: for each frame every face, its track, and the probability of each expression.

    For each video, OUTPUT/<name>/ gets frames.csv (a row per frame and face), segments.csv, timeline.json
    (everything, with versions and hashes), timeline.png, and with --overlay overlay.mp4.
    """
    from seqfer.annotation import Annotator
    from seqfer.timeline.naming import output_folders
    from seqfer.timeline.saving import check_formats
    from seqfer.timeline.types import SegmentOptions

    settings = Settings(tuple(name.strip() for name in formats.split(",") if name.strip()), overlay, overwrite)
    check_formats(settings.formats)
    options = SegmentOptions(smoothing, onset, offset, min_duration)
    outcomes, found = _find(videos)
    annotator = Annotator(model, detector, device, precision, every, picture_rate, options)
    for number, (video, folder) in enumerate(zip(found, output_folders(found, output), strict=True), start=1):
        count = f"{number}/{len(found)} " if len(found) > 1 else ""
        outcome = _annotate(annotator, video, folder, settings, count + printable(video))
        if outcome.problem is not None:
            error_line(SeqferError(outcome.problem))
        _report(outcome)
        outcomes.append(outcome)
    if len(outcomes) > 1:
        _close(outcomes)
    if any(outcome.problem for outcome in outcomes):
        raise typer.Exit(1)


def _find(places: list[Path]) -> tuple[list[Outcome], list[Path]]:
    """What failed at once, and the videos to annotate, each once."""
    from seqfer.timeline.saving import holds_results
    from seqfer.video.opening import find_videos

    failed: list[Outcome] = []
    found: dict[Path, Path] = {}
    for place in places:
        try:
            # Overlays of an earlier run are no videos of the folder that the results happen to lie in.
            for video in find_videos(place, passed_over=holds_results):
                found.setdefault(video.resolve(), video)
        except SeqferError as error:
            error_line(error)
            failed.append(Outcome(place, problem=str(error)))
    return failed, list(found.values())


def _annotate(annotator: Annotator, video: Path, folder: Path, settings: Settings, description: str) -> Outcome:
    from seqfer.annotation import StageSeconds
    from seqfer.files import check_output, output_folder
    from seqfer.timeline.saving import OWN_FILES, write_files
    from seqfer.video.types import DecodeReport

    try:
        check_output(folder, settings.overwrite)
        seconds = StageSeconds()
        with progress(description) as advance:

            def advanced(info: VideoInfo, done: int) -> None:
                advance(done, None if info.frame_count is None else -(-info.frame_count // annotator.every))

            timeline = annotator.annotate(video, advanced, seconds)
        with output_folder(folder, settings.overwrite, OWN_FILES) as place:
            write_files(timeline, place, settings.formats)
            problem = _overlay(annotator, timeline, place, description) if settings.overlay else None
    except SeqferError as error:
        return Outcome(video, problem=str(error))
    except OSError as error:  # a drive that is gone, a file that another program takes away
        return Outcome(video, problem=f"{video}: {error.strerror or error}")
    if video.is_dir():
        count, rate = counted(timeline.video.frame_count or 0, "picture"), f"{annotator.picture_rate:g}"
        remark_line(f"{video}: {count} read as one clip at {rate} per second; --picture-rate changes that")
    speed = len(timeline.frame_index) / seconds.total
    cut_off = faults_of(video, DecodeReport(**timeline.provenance["decoding"]))
    if cut_off:
        problem = f"{cut_off}; {problem}" if problem else cut_off
    return Outcome(video, timeline, folder, speed, problem)


def _overlay(annotator: Annotator, timeline: Timeline, place: Path, description: str) -> str | None:
    """Write the overlay; what goes wrong with it leaves the other results as they are."""
    from seqfer.timeline.overlay import write_overlay

    try:
        with progress(f"{description} overlay") as advance:
            write_overlay(timeline, place / "overlay.mp4", annotator.picture_rate, advance)
    except SeqferError as error:
        problem = error.problem if isinstance(error, OutputError | VideoError) else str(error)
        return f"{timeline.video.path}: no overlay: {problem}"
    return None


def _report(outcome: Outcome) -> None:
    timeline = outcome.timeline
    if timeline is None:
        return
    frames, tracks = len(timeline.frame_index), len(timeline.tracks())
    faces = f"{tracks} track{'s' * (tracks != 1)}" if tracks else "no face found"
    text = f"{printable(outcome.video)}: {counted(frames, 'frame')}, {faces}, {outcome.frames_per_s:.0f} frames/s"
    say(f"{text} -> {outcome.folder}")


def _close(outcomes: list[Outcome]) -> None:
    """The closing table, and the failures once more."""
    failures = [outcome for outcome in outcomes if outcome.problem]
    if out.is_terminal:
        from rich.table import Table
        from rich.text import Text

        table = Table("video", "frames", "tracks", "frames/s", "outcome")
        for outcome in outcomes:
            timeline = outcome.timeline
            cells = (
                (str(len(timeline.frame_index)), str(len(timeline.tracks())), f"{outcome.frames_per_s:.0f}")
                if timeline
                else ("", "", "")
            )
            state, colour = (
                ("done", "green")
                if not outcome.problem
                else ("incomplete", "yellow")
                if timeline
                else ("failed", "red")
            )
            table.add_row(printable(outcome.video), *cells, Text(state, colour))
        out.print(table)
    done = len(outcomes) - len(failures)
    say(f"{done} of {counted(len(outcomes), 'video')} annotated without a problem")
    for outcome in failures:
        say(f"  {outcome.problem}")
