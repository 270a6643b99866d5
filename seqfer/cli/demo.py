"""`seqfer demo`: renders a short clip, annotates it, and shows what comes out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import out, progress, say
from seqfer.errors import OutputError
from seqfer.files import output_folder, path_from

if TYPE_CHECKING:
    from seqfer.timeline.types import Timeline

NAME = "seqfer-demo"  # no name that a user's own video is likely to have
STRIP = 72  # columns


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the clip and its results.")] = Path(
        "seqfer-out"
    ),
) -> None:
    """Try seqfer without any file: render a short clip, annotate it, and show its timeline."""
    from seqfer.annotation import Annotator
    from seqfer.demo import write_demo_clip
    from seqfer.timeline.overlay import write_overlay
    from seqfer.timeline.saving import OWN_FILES, write_files

    folder = output / NAME
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(output, f"cannot be written ({error.strerror}); choose another folder") from error
    out.print("rendering a clip: a portrait that ships inside matplotlib, warped along its face landmarks")
    clip = write_demo_clip(output / f"{NAME}.mp4")
    with progress("annotating") as advance:
        timeline = Annotator().annotate(clip, lambda info, done: advance(done, info.frame_count))
    with output_folder(folder, overwrite=True, own=OWN_FILES) as place:
        write_files(timeline, place, ("csv", "json"))
        write_overlay(timeline, place / "overlay.mp4")
    out.print()
    _print_strips(timeline)
    out.print()
    for segment in timeline.segments():
        times = f"{segment.start_s:6.2f} s to {segment.end_s:6.2f} s"
        out.print(f"  {times}  {segment.label:9s} mean probability {segment.mean_probability:.2f}")
    out.print()
    say(f"The clip is {clip}; its results are in {folder}:")
    for file in sorted(folder.iterdir()):
        say(f"  {file}")
    say(f"Your own video:  {_command()} annotate VIDEO --overlay")


def _command() -> str:
    """How to call seqfer from here: by its name, or by its place where the shell would not find that name."""
    return "seqfer" if shutil.which("seqfer") else str(path_from(Path(), Path(sys.executable).with_name("seqfer")))


def _print_strips(timeline: Timeline) -> None:
    """For each track a line of blocks in the colour of the leading expression, over the length of the video."""
    import numpy as np
    from rich.text import Text

    from seqfer.timeline.colours import colour_of

    names = timeline.label_set.names
    # Letters serve where there is no colour: the first one of each name that no other name has taken.
    coloured = out.is_terminal and not out.no_color
    letters: dict[str, str] = {}
    for name in names:
        letters[name] = next(letter for letter in name + "?" if letter not in letters.values())
    columns = np.minimum(timeline.face_time_s() / timeline.end_s * STRIP, STRIP - 1).astype(int)
    for track in timeline.tracks():
        strip = Text(f"track {track}  ")
        for column in range(STRIP):
            rows = (columns == column) & (timeline.track_id == track)
            if rows.any():
                leader = names[int(timeline.probabilities[rows].mean(0).argmax())]
                block = "█" if coloured else letters[leader]
                strip.append(block, style=colour_of(leader))
            else:
                strip.append(" ")
        out.print(strip)
    out.print(f"{'':9s}0 s{'':{STRIP - 10}s}{timeline.end_s:5.1f} s")
    legend = Text(f"{'':9s}")
    for name in names:
        legend.append("█ " if coloured else f"{letters[name]} = ", style=colour_of(name))
        legend.append(f"{name}  ")
    out.print(legend)
