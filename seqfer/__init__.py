"""Facial expression recognition in video: from a file to a per-frame expression timeline.

The public names load what they need when they are first used, so that importing seqfer costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Annotator": "seqfer.annotation",
    "annotate": "seqfer.annotation",
    "LabelSet": "seqfer.labels",
    "Segment": "seqfer.timeline.types",
    "SegmentOptions": "seqfer.timeline.types",
    "SeqferError": "seqfer.errors",
    "Timeline": "seqfer.timeline.types",
    "load_model": "seqfer.models.bundled",
    "load_timeline": "seqfer.timeline.saving",
    "open_video": "seqfer.video.opening",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from seqfer.annotation import Annotator as Annotator
    from seqfer.annotation import annotate as annotate
    from seqfer.errors import SeqferError as SeqferError
    from seqfer.labels import LabelSet as LabelSet
    from seqfer.models.bundled import load_model as load_model
    from seqfer.timeline.saving import load_timeline as load_timeline
    from seqfer.timeline.types import Segment as Segment
    from seqfer.timeline.types import SegmentOptions as SegmentOptions
    from seqfer.timeline.types import Timeline as Timeline
    from seqfer.video.opening import open_video as open_video


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqfer' has no attribute {name!r}")
    attribute = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return sorted(__all__)
