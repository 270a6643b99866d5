"""`seqfer live`: the faces of a camera, or of a video at its own pace, on a display board."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import say
from seqfer.errors import OptionError, OutputError
from seqfer.files import check_file

if TYPE_CHECKING:
    from seqfer.live.newest import Newest
    from seqfer.live.recording import Recording
    from seqfer.live.session import Spread, Timings
    from seqfer.live.types import Captured, LiveFrame, Source


def live(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A video, played at its own pace. Default: a camera.", show_default=False
        ),
    ] = None,
    camera: Annotated[
        int | None,
        typer.Option(metavar="N", help="The camera, counted from 0. Default: 0.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.csv",
            help="Record what is read: a row per frame and face, as in frames.csv.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="A bundled model (see `seqfer models`) or a model's folder.")
    ] = "compact",
    detector: Annotated[str, typer.Option(help="mediapipe or haar.")] = "mediapipe",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    headless: Annotated[bool, typer.Option("--headless", help="Open no window; Ctrl-C ends.")] = False,
    each_second: Annotated[
        bool, typer.Option("--each-second", help="Print a line each second: figures, and what each face shows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier OUT.csv.")] = False,
) -> None:
    """Read faces as they are filmed: a window with their boxes and a board of their expressions; q or Esc ends it.

    Frames that come while an earlier one is being read are dropped, so that the board does not fall behind. At the
    end stand the frames delivered, shown and dropped, and the delay from a frame's arrival to its display.
    """
    if file is not None and camera is not None:
        raise OptionError("give a FILE or --camera, not both")
    if output is not None:
        if file is not None and output.resolve() == file.resolve():
            raise OutputError(output, "is what is to be read; choose another name")
        if output.suffix.lower() != ".csv":
            raise OutputError(output, "must end in .csv")
        check_file(output, overwrite)
    from seqfer.faces.types import create_detector
    from seqfer.live.newest import Newest
    from seqfer.live.reader import READING_THREADS, LiveReader
    from seqfer.live.session import Timings, watch
    from seqfer.live.sources import CameraSource, FileSource
    from seqfer.live.window import Window, check_display
    from seqfer.models.bundled import load_model
    from seqfer.models.inference import Predictor, choose_device, network_threads

    if not headless:
        check_display()
    source: Source = FileSource(file) if file is not None else CameraSource(camera or 0)
    with ExitStack() as stack:
        stack.enter_context(closing(source))
        stack.enter_context(network_threads(READING_THREADS))
        reader = LiveReader(
            Predictor(load_model(model).model, choose_device(device)),
            stack.enter_context(closing(create_detector(detector))),
        )
        window = None if headless else stack.enter_context(closing(Window(source.name, reader.labels.names)))
        record = stack.enter_context(_recorded(output, reader.labels.names)) if output is not None else None
        newest, timings = Newest(source.frames, window.goes_on if window else _goes_on), Timings()
        lines = _Lines(newest, timings, reader.labels.names) if each_second else None

        def keep(frame: LiveFrame) -> None:
            if record is not None:
                record.add(frame)
            if lines is not None:
                lines.add(frame)

        try:
            with newest, _ended_by_signals(newest.stop):
                watch(newest, reader, window.show if window else _shown_to_nobody, keep, timings)
        finally:
            _report(source.name, newest, timings, reader.faces, "result" if headless else "display")


@contextmanager
def _recorded(output: Path, names: Sequence[str]) -> Iterator[Recording]:
    """A recording; in the end, also after an error, stands what it holds and at what time of day it began."""
    from seqfer.live.recording import recording

    record: Recording | None = None
    try:
        with recording(output, names) as record:
            yield record
    finally:
        if record is not None and record.began is not None and output.is_file():
            began = record.began.isoformat(timespec="milliseconds")
            say(f"{record.frames} frames -> {output} (time 0 was {began})")


def _shown_to_nobody(frame: LiveFrame) -> bool:
    return True


def _goes_on() -> bool:
    return True


@contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, a polite kill or a closed terminal ends the session in good order; a second one at once."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    before = {number: signal.getsignal(number) for number in numbers}
    # Under nohup the terminal's end means nothing.
    signals = [number for number in numbers if number.name != "SIGHUP" or before[number] != signal.SIG_IGN]

    def end(number: int, _: object) -> None:
        stop()
        signal.signal(number, before[signal.Signals(number)])

    for number in signals:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in signals:
            signal.signal(number, before[number])


class _Lines:
    """Prints a line for each second: what was done in it, and what each face shows now."""

    def __init__(self, newest: Newest[Captured], timings: Timings, names: Sequence[str]) -> None:
        self._newest, self._timings, self._names = newest, timings, names
        self._next_s = 1.0
        self._before = (0, 0, 0)

    def add(self, frame: LiveFrame) -> None:
        time_s = frame.frame.time_s
        if time_s < self._next_s:
            return
        self._next_s = math.floor(time_s) + 1.0
        now = (self._newest.delivered, self._timings.shown, self._newest.dropped)
        delivered, shown, dropped = (count - before for count, before in zip(now, self._before, strict=True))
        self._before = now
        delay = self._timings.delay_ms(last=shown)
        faces = [
            f"{face.track_id} {self._names[int(face.probabilities.argmax())]} {face.probabilities.max():.2f}"
            for face in frame.faces
        ]
        say(
            f"{time_s:7.1f} s  {delivered} delivered, {shown} shown, {dropped} dropped, "
            f"delay {delay.median:.0f} ms  {'; '.join(faces) or 'no face'}"
        )


def _report(name: str, newest: Newest[Captured], timings: Timings, faces: int, shown_as: str) -> None:
    say(
        f"{name}: {newest.delivered} frames delivered, {timings.shown} shown "
        f"({timings.frames_per_s:.1f} per second), {newest.dropped} dropped; "
        f"{faces or 'no'} face{'s' * (faces > 1)} found"
    )
    if timings.shown:
        say(f"delay from a frame's arrival to its {shown_as}: {_spread(timings.delay_ms())}")
        say(f"reading one frame: {_spread(timings.reading_ms())}")


def _spread(spread: Spread) -> str:
    return f"median {spread.median:.0f} ms, 95 % within {spread.p95:.0f} ms, longest {spread.longest:.0f} ms"
