"""What a user is told of a video that did not decode to its end without a fault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seqfer.cli.console import counted, remark_line

if TYPE_CHECKING:
    from seqfer.video.types import DecodeReport


def faults_of(video: Path, report: DecodeReport) -> str | None:
    """The problem of a video that is cut off; lost and damaged frames of others are a remark."""
    if report.truncated:
        promised = report.decoded + report.lost
        return f"{video}: is cut off; {report.decoded} of {promised} frames were decoded"
    if report.lost or report.damaged:
        reason = "missing, unreadable or of another size" if video.is_dir() else "not decoded"
        lost = counted(report.lost, "frame")
        remark_line(f"{video}: {lost} {reason}, {report.damaged} with errors in the picture")
    return None
