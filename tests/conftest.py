"""Fixtures that several tests share, and the material that lies beside the project on some machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two processes run tests side by side (pyproject.toml); with a thread each they do not fight for two cores.
# PyTorch reads it when it is imported, also in the commands that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """Real clips with faces, where they are at hand."""
    folder = SHARED / "videos"
    if not folder.is_dir():
        pytest.skip("the real clips do not lie beside the project on this machine")
    return folder


@pytest.fixture(scope="session")
def shared_fer2013() -> Path:
    """FER-2013 as a zip of class folders, where it is at hand."""
    path = SHARED / "data" / "fer2013.zip"
    if not path.is_file():
        pytest.skip("FER-2013 does not lie beside the project on this machine")
    return path


@pytest.fixture(scope="session")
def demo_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's clip: 275 frames of one face, neutral, happy, surprised, sad."""
    from seqfer.demo import write_demo_clip

    return write_demo_clip(tmp_path_factory.mktemp("demo") / "demo.mp4")
