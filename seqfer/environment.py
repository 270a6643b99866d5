"""What seqfer finds on this machine, and what is wrong with it."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from typing import Literal

from seqfer import __version__
from seqfer.errors import one_line
from seqfer.machine import installed_version, usable_cores

OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at.
        state: what was found.
        remedy: what to do about it; None where nothing is wrong.
    """

    subject: str
    state: str
    remedy: str | None = None


def examine() -> Iterator[Finding]:
    """Look at everything that an annotation needs; each finding stands for itself."""
    yield Finding("seqfer", __version__)
    yield _python()
    for package in required_packages():
        installed = installed_version(package)
        remedy = None if installed else f"pip install {package} (or install seqfer again)"
        yield Finding(package, installed or "missing", remedy)
    yield _one_opencv()
    for examination in (_devices, _ffmpeg, _mediapipe, _haar, _models):
        try:
            yield from examination()
        except Exception as error:  # whatever breaks here is the finding
            reason = one_line(error)
            remedy = "install seqfer again into a fresh environment, with constraints.txt"
            if isinstance(error, ImportError) and ".so" in reason:
                remedy = "install the system library that it names; on Debian and Ubuntu: libgl1 libglib2.0-0"
            yield Finding(
                examination.__name__.strip("_"), f"does not work: {type(error).__name__}: {reason}", remedy
            )


def required_packages() -> list[str]:
    """The distributions that every installation of seqfer needs, as its own metadata list them."""
    try:
        wanted = requires("seqfer") or []
    except PackageNotFoundError:  # run from its sources, without having been installed
        return []
    names = [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in wanted if ";" not in text]
    return sorted(names)


def _python() -> Finding:
    supported = (3, 10) <= sys.version_info[:2] <= (3, 12)
    state = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", state, None if supported else "use Python 3.10, 3.11 or 3.12")


def _one_opencv() -> Finding:
    installed = [name for name in OPENCV if installed_version(name)]
    if installed == ["opencv-contrib-python"]:
        return Finding("OpenCV installs", "one")
    others = [name for name in installed if name != "opencv-contrib-python"]
    remedy = "pip install --force-reinstall 'opencv-contrib-python>=4.10,<5'"
    if others:
        remedy = f"they overwrite each other: pip uninstall {' '.join(others)}, then {remedy}"
    return Finding("OpenCV installs", ", ".join(installed) or "none", remedy)


def _devices() -> Iterator[Finding]:
    import torch

    from seqfer.models.inference import choose_device, choose_precision

    device = choose_device()
    precision = str(choose_precision("auto", device)).removeprefix("torch.")
    yield Finding("CPU", f"{usable_cores()} cores")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Finding("CUDA", ", ".join(names) or "none")
    yield Finding("MPS", "yes" if torch.backends.mps.is_available() else "none")
    yield Finding("default device", f"{device}, {precision}")


def _ffmpeg() -> Iterator[Finding]:
    import av

    library = ".".join(str(part) for part in av.library_versions["libavcodec"])
    wanted = ("h264", "hevc", "mpeg4", "vp9", "av1")
    lacking = [name for name in wanted if not _has_codec(name, "r")]
    state = f"libavcodec {library}; " + ", ".join(name for name in wanted if name not in lacking)
    yield Finding("decoding (PyAV)", state, f"no decoder for {', '.join(lacking)}" if lacking else None)
    encoder = _has_codec("libx264", "w")
    remedy = None if encoder else "--overlay needs libx264: install PyAV from its wheel"
    yield Finding("H.264 encoding", "libx264" if encoder else "none", remedy)


def _mediapipe() -> Iterator[Finding]:
    from seqfer.faces.types import create_detector

    create_detector("mediapipe").close()
    yield Finding("detector mediapipe", "short-range and full-range models")


def _haar() -> Iterator[Finding]:
    from seqfer.faces.types import create_detector

    create_detector("haar").close()
    yield Finding("detector haar", "frontal cascade")


def _models() -> Iterator[Finding]:
    from seqfer.models.bundled import bundled_models, load_model

    names = bundled_models()
    for name in names:
        yield Finding(f"model {name}", f"sha256 {load_model(name).sha256[:12]}…")
    if not names:
        yield Finding("models", "none", "the package lacks its weights: install seqfer again")


def _has_codec(name: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(name, mode)
    except Exception:  # PyAV's error class for this differs between versions
        return False
    return True
