"""What a layout's reader gives: the clips that it found, and every file that it left out, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seqfer.datasets.types import ClipRecord
from seqfer.errors import OptionError
from seqfer.labels import canonical
from seqfer.video.opening import folders_below


@dataclass(frozen=True)
class LayoutOptions:
    """What a user may say of a layout.

    Attributes:
        subject: in class folders, a regular expression over a clip's path below the root, whose group
            `subject` names who is seen.
        last_frames: how many frames of a CK+ sequence make its clip, counted from its apex at the end.
        first_as_neutral: take the first frame of a CK+ sequence as a neutral clip of its own.
    """

    subject: str | None = None
    last_frames: int = 3
    first_as_neutral: bool = False

    def __post_init__(self) -> None:
        if self.last_frames < 1:
            raise OptionError(f"last_frames must be at least 1, not {self.last_frames}")
        if self.subject is not None:
            try:
                groups = re.compile(self.subject).groupindex
            except re.error as error:
                raise OptionError(f"subject {self.subject!r} is no regular expression ({error})") from error
            if "subject" not in groups:
                raise OptionError(f"subject {self.subject!r} lacks a group named subject, as (?P<subject>S[0-9]+)")


@dataclass
class Found:
    """What a reader found.

    Attributes:
        records: clips, each with an id of its own.
        left_out: files that are no clips, with the reason.
    """

    records: list[ClipRecord] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)

    def leave_out(self, path: Path, why: str) -> None:
        self.left_out.append((path, why))


Reader = Callable[[Path, LayoutOptions], Found]


def files_below(root: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Visible files with one of the suffixes, in the order of their paths; links to folders are followed."""
    everything = (child for _, children in folders_below(root) for child in children or ())
    for path in sorted(everything):
        if path.suffix.lower() in suffixes and path.is_file():
            yield path


def read_named_files(
    root: Path,
    suffixes: frozenset[str],
    pattern: str,
    labels: dict[str, str],
    form: str,
) -> Found:
    """Clips whose file names say everything: for data sets with a naming scheme.

    Args:
        root: searched with all its folders.
        suffixes: of the clips.
        pattern: regular expression over the name without suffix, with the groups `subject` and `label`.
        labels: the scheme's code of an expression, in upper case, to our label.
        form: the scheme in words, for those files that do not follow it.
    """
    found = Found()
    taken: dict[str, Path] = {}
    for path in files_below(root, suffixes):
        match = re.fullmatch(pattern, path.stem)
        if match is None:
            found.leave_out(path, f"is not named {form}")
        elif match["label"].upper() not in labels:
            found.leave_out(path, f"{match['label']!r} is none of {', '.join(sorted(set(labels.values())))}")
        elif path.stem in taken:
            found.leave_out(path, f"has the name of {taken[path.stem]}")
        else:
            taken[path.stem] = path
            label = canonical(labels[match["label"].upper()])
            found.records.append(ClipRecord(path.stem, path, label, subject_id=match["subject"]))
    return found
