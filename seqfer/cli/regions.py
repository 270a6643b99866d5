"""`seqfer regions`: pictures in, their faces' regions out, as red boxes and as a table."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqfer.cli.console import counted, error_line, progress, say
from seqfer.errors import SeqferError
from seqfer.files import output_folder

if TYPE_CHECKING:
    from seqfer.faces.regions import Region, RegionFinder

TABLE = "regions.csv"
DRAWINGS = (".regions.png", ".edges.png")  # what their names end with
COLUMNS = ("image", "face", "region", "x1", "y1", "x2", "y2", "source")
DIGITS = 1  # after the point: tenths of a pixel


def regions(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Pictures, or folders of pictures.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path(
        "seqfer-out/regions"
    ),
    edges: Annotated[
        bool,
        typer.Option("--edges", help="Also draw each picture's edges: histogram equalisation, then Canny."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results of an earlier run.")] = False,
) -> None:
    """Draw red boxes, two pixels wide, around the faces in pictures, their eyes, nose and mouth.

    OUTPUT gets NAME.regions.png for each picture, with --edges NAME.edges.png, and regions.csv: a row per region
    with its box in pixels of the picture and its source, cascade (OpenCV's Viola-Jones cascades) or landmarks
    (MediaPipe's face mesh, for nose and mouth and for what a cascade passes over). Left and right are the
    picture's. Small pictures, as of FER-2013, are enlarged, before faces are sought and in what is drawn; the
    table keeps their own pixels. A picture without a face is drawn without boxes.
    """
    from seqfer.faces.regions import RegionFinder
    from seqfer.files import check_output

    check_output(output, overwrite)
    earlier = [TABLE, *(file.name for file in output.glob("*") if _is_drawing(file))]
    failed, found = _find(images)
    rows: list[tuple[object, ...]] = []
    faces = empty = done = 0
    with (
        output_folder(output, overwrite, own=earlier) as place,
        closing(RegionFinder()) as finder,
        progress("regions", "pictures") as advance,
    ):
        for number, (image, name) in enumerate(zip(found, _names(found), strict=True), start=1):
            try:
                shown = _draw(finder, image, place, name, edges)
            except SeqferError as error:
                error_line(error)
                failed += 1
                continue
            rows += _rows(image, shown)
            faces += len(shown)
            done += 1
            if not shown:
                empty += 1
                say(f"{image}: no face found")
            advance(number, len(found))
        if not done:
            raise typer.Exit(1)
        with (place / TABLE).open("w", newline="", encoding="utf-8", errors="replace") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    without = f", {empty} without a face" if empty else ""
    say(f"{counted(done, 'picture')}, {counted(faces, 'face')}{without} -> {output}")
    if failed:
        raise typer.Exit(1)


def _find(places: list[Path]) -> tuple[int, list[Path]]:
    """How many of the places hold nothing to read, and the pictures of the others, each once."""
    from seqfer.video.opening import find_pictures

    failed = 0
    found: dict[Path, Path] = {}
    for place in places:
        try:
            for image in find_pictures(place, passed_over=_is_drawing):
                found.setdefault(image.resolve(), image)
        except SeqferError as error:
            error_line(error)
            failed += 1
    return failed, list(found.values())


def _is_drawing(file: Path) -> bool:
    """Whether a file is an earlier run's drawing, and no picture of the folder that it happens to lie in."""
    return file.name.endswith(DRAWINGS) and file.with_name(TABLE).is_file()


def _names(images: list[Path]) -> list[str]:
    """What each picture's drawings are called, no two alike."""
    from seqfer.timeline.naming import output_folders

    names: dict[str, str] = {}
    for place in output_folders(images, Path()):
        name = "-".join(place.parts)
        while name.casefold() in names:
            name += "_"
        names[name.casefold()] = name
    return list(names.values())


def _draw(finder: RegionFinder, path: Path, place: Path, name: str, edges: bool) -> list[tuple[Region, ...]]:
    """The regions of the faces in a picture, after drawing them."""
    from PIL import Image

    from seqfer.faces.drawing import draw_edges, draw_regions, enlargement
    from seqfer.video.stills import read_image

    image = read_image(path)
    faces = finder.find(image)
    factor = enlargement(image)
    Image.fromarray(draw_regions(image, faces, factor)).save(place / f"{name}.regions.png")
    if edges:
        Image.fromarray(draw_edges(image, factor)).save(place / f"{name}.edges.png")
    return faces


def _rows(path: Path, faces: list[tuple[Region, ...]]) -> list[tuple[object, ...]]:
    """Rows of the table; a picture without a face stays a row without one."""
    rows: list[tuple[object, ...]] = [
        (path, number, region.name, *(round(value, DIGITS) for value in region.box), region.source)
        for number, face in enumerate(faces, start=1)
        for region in face
    ]
    return rows or [(path, *[""] * (len(COLUMNS) - 1))]
