"""`seqfer explain`: a picture or a video of where a model's reading of each face is sensitive."""

from __future__ import annotations

import warnings
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import counted, progress, say
from seqfer.cli.decoding import faults_of
from seqfer.cli.reading import Device, Faces, PictureRate
from seqfer.errors import OptionError, OutputError, SeqferError, VideoError
from seqfer.files import check_file, printable, write_whole

if TYPE_CHECKING:
    from seqfer.explanation.maps import Explainer
    from seqfer.explanation.places import Place

PICTURES, VIDEOS = (".png", ".pdf", ".svg"), (".mp4",)


def explain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A bundled model (see `seqfer models`) or a model's folder.", show_default=False
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A still image, a video, or a folder of numbered pictures.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="For a still a .png, .pdf or .svg; for a video an .mp4.")
    ],
    method: Annotated[str, typer.Option(help="saliency, gradcam or both.")] = "both",
    label: Annotated[
        str | None,
        typer.Option(
            help="The expression to explain. Default: in each frame the leading one.", show_default=False
        ),
    ] = None,
    faces: Faces = "mediapipe",
    every: Annotated[int, typer.Option(metavar="N", help="Read every N-th frame only.")] = 1,
    picture_rate: PictureRate = 25.0,
    device: Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Show where a model's reading of each face is sensitive: gradient saliency, Grad-CAM, or both.

    The maps show where the classifier's reading is sensitive, not where a feeling shows. Saliency (Simonyan et
    al., 2014): how much each pixel would move the expression's score. Grad-CAM (Selvaraju et al., 2017): which
    parts of the last convolutional maps speak for it, as coarse as those are. Each map is scaled to its own
    maximum.

    A still gives a picture with a row for each face. A video gives the same video, sound and timing kept, with
    the maps laid over its faces (saliency a little softened), those of two methods side by side. Every frame is
    explained as if it stood alone: what a BiLSTM head makes of the frames around it is left out, so probabilities
    differ from those of `seqfer annotate`.
    """
    from seqfer.explanation.maps import METHODS, Explainer
    from seqfer.explanation.places import find_places
    from seqfer.models.bundled import load_model
    from seqfer.models.inference import choose_device
    from seqfer.video.stills import IMAGE_SUFFIXES

    try:
        still = file.suffix.lower() in IMAGE_SUFFIXES and not file.is_dir()
    except OSError as error:
        raise VideoError(file, f"cannot be read ({error.strerror})") from error
    _check(file, output, PICTURES if still else VIDEOS, overwrite)
    if method not in (*METHODS, "both"):
        raise OptionError(f"unknown method {method!r}; known: {', '.join(METHODS)}, both")
    checkpoint = load_model(model)
    methods = METHODS if method == "both" else (method,)
    explainer = Explainer(checkpoint.model, choose_device(device), methods, label)
    with progress("looking for faces") as advance:
        preprocess = explainer.architecture.preprocess
        places = find_places(file, preprocess, faces, every, picture_rate, advance)
    if still:
        _write_picture(file, output, explainer, places[0], checkpoint.name)
    else:
        _write_video(file, output, explainer, places, picture_rate)


def _check(file: Path, output: Path, suffixes: tuple[str, ...], overwrite: bool) -> None:
    if output.suffix.lower() not in suffixes:
        raise OutputError(output, f"must end in {' or '.join(suffixes)}")
    if output.resolve() == file.resolve():
        raise OutputError(output, "is what is to be explained; choose another name")
    check_file(output, overwrite)


def _write_picture(file: Path, output: Path, explainer: Explainer, places: list[Place], model: str) -> None:
    from seqfer.explanation.picture import plot_explained
    from seqfer.video.stills import read_image

    figure = plot_explained(read_image(file), places, explainer, f"{printable(file)}, read by {model}")
    with write_whole(output) as place, warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; there is nothing to be done about it here.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(place, bbox_inches="tight", pad_inches=0.08)
    say(f"{printable(file)}: {counted(len(places), 'face')} -> {output}")


def _write_video(
    file: Path, output: Path, explainer: Explainer, places: dict[int, list[Place]], picture_rate: float
) -> None:
    from seqfer.explanation.overlay import write_explained

    start = perf_counter()
    with progress("explaining") as advance:
        report = write_explained(file, output, explainer, places, picture_rate, advance)
    tracks = {place.track_id for found in places.values() for place in found}
    speed = report.decoded / (perf_counter() - start)
    text = f"{counted(report.decoded, 'frame')}, {counted(len(tracks), 'track')}, {speed:.0f} frames/s"
    say(f"{printable(file)}: {text} -> {output}")
    problem = faults_of(file, report)
    if problem:
        raise SeqferError(problem)
