"""Manifests as files: a CSV with a row per clip, paths relative to the file, and a mark if its splits leak."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from seqfer.datasets.types import UNASKED, ClipRecord, Manifest, shared_subjects
from seqfer.errors import DatasetError, OptionError
from seqfer.files import check_file, path_from, write_whole
from seqfer.labels import canonical

COLUMNS = ("clip_id", "path", "start_s", "end_s", "frames", "label", "subject_id", "split", "fold")
NEEDED = ("clip_id", "path", "label")
LEAKY = "# leaky: "  # begins the first line of a file whose splits leak
SEPARATOR = ";"  # between the names in `frames`


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest; paths are stored relative to its folder.

    Raises:
        DatasetError: the file is one of the data set, a name is no text, or a picture's name holds the separator.
        OutputError: the file cannot be written.
    """
    if path.exists() and any(_is_same(one, path) for one in {record.path for record in manifest.records}):
        raise DatasetError(path, "is the data itself; write the manifest to another file")
    folder = path.absolute().parent
    check_file(path, overwrite=True)
    with write_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        if manifest.leaky and manifest.leaky != UNASKED:
            file.write(f"{LEAKY}{manifest.leaky}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(record, folder) for record in manifest.records)


def read_manifest(path: str | Path, refuse_leaks: bool = True) -> Manifest:
    """Read a manifest; columns but `clip_id`, `path` and `label` may be missing.

    Args:
        path: of the CSV file.
        refuse_leaks: refuse a subject on two sides of a split that is not marked as leaky; else mark it.

    Raises:
        DatasetError: the file is missing or malformed, or its clips do not make a manifest; with the line.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            leaky = first.removeprefix(LEAKY).strip() if first.startswith(LEAKY) else ""
            if not leaky:
                file.seek(0)
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            missing = [name for name in NEEDED if name not in columns]
            if missing and any(";" in name for name in columns):
                raise DatasetError(path, "parts its columns by semicolons; save it with commas")
            if missing:
                raise DatasetError(path, f"lacks the column {missing[0]!r}; a manifest has {', '.join(COLUMNS)}")
            unknown = [name for name in columns if name not in COLUMNS]
            if unknown:
                raise DatasetError(path, f"has the unknown column {unknown[0]!r}; known: {', '.join(COLUMNS)}")
            lines = 1 if leaky else 0
            records = tuple(_record(row, path, lines + reader.line_num) for row in reader)
    except OSError as error:
        raise DatasetError(path, f"cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(path, f"is not a CSV file in UTF-8 ({error})") from error
    if not refuse_leaks and not leaky and shared_subjects(records):
        leaky = UNASKED
    try:
        return Manifest(records, leaky)
    except OptionError as error:
        raise DatasetError(path, str(error)) from error


def _row(record: ClipRecord, folder: Path) -> tuple[str, ...]:
    if any(SEPARATOR in name for name in record.frames):
        raise DatasetError(record.path, f"a picture's name holds {SEPARATOR!r}; rename it")
    row = (
        record.clip_id,
        path_from(folder, record.path).as_posix(),
        _number(record.start_s) if record.start_s else "",
        "" if record.end_s is None else _number(record.end_s),
        SEPARATOR.join(record.frames),
        record.label,
        record.subject_id,
        record.split,
        "" if record.fold is None else str(record.fold),
    )
    try:
        "".join(row).encode()
    except UnicodeEncodeError as error:
        raise DatasetError(record.path, "a name is not UTF-8; rename it") from error
    return row


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _record(row: dict[str, str | None], path: Path, line: int) -> ClipRecord:
    if None in row or None in row.values():
        raise DatasetError(path, f"line {line} has not as many fields as the first line")
    cell = {name: (value or "").strip() for name, value in row.items()}
    try:
        return ClipRecord(
            clip_id=cell["clip_id"],
            path=Path(os.path.normpath(path.absolute().parent / cell["path"])),
            label=canonical(cell["label"]),
            start_s=_seconds(cell, "start_s") or 0.0,
            end_s=_seconds(cell, "end_s"),
            frames=tuple(name for name in cell.get("frames", "").split(SEPARATOR) if name),
            subject_id=cell.get("subject_id", ""),
            split=cell.get("split", ""),
            fold=_fold(cell),
        )
    except OptionError as error:
        raise DatasetError(path, f"line {line}: {error}") from error


def _seconds(cell: dict[str, str], column: str) -> float | None:
    text = cell.get(column, "")
    try:
        return float(text) if text else None
    except ValueError as error:
        raise OptionError(f"{column} must be a number of seconds, as 12.5, not {text!r}") from error


def _fold(cell: dict[str, str]) -> int | None:
    text = cell.get("fold", "")
    try:
        return int(text) if text else None
    except ValueError as error:
        raise OptionError(f"fold must be a whole number, not {text!r}") from error
