"""The scripts that make what the package brings, on a small set in FER-2013's layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from seqfer.labels import FER7
from seqfer.models.bundled import load_model

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUICK = ("--set", "epochs=1", "--set", "schedule.warmup=0.2", "--set", "batch_size=16", "--steps", "2")


@pytest.fixture
def fer2013(tmp_path: Path) -> Path:
    """Class folders of noise; one test picture repeats a training one."""
    root, rng = tmp_path / "fer2013", np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 3), ("test", 1)):
        for name in FER7:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (48, 48), np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    (root / "test" / "happy" / "0.png").write_bytes((root / "train" / "happy" / "0.png").read_bytes())
    return root


def test_the_bundled_model_is_trained_by_one_command_that_can_be_given_again(
    fer2013: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        str(SCRIPTS / "train_bundled.py"),
        str(fer2013),
        "-o",
        str(tmp_path / "run"),
        *QUICK,
    ]
    first, again = (
        subprocess.run(command, capture_output=True, text=True, timeout=300, check=False) for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert again.returncode == 0, again.stderr
    assert "1 training and 0 validation clips dropped" in first.stdout
    assert "nothing is left to do" in again.stdout
    model = load_model(tmp_path / "run" / "compact")
    assert model.model.architecture.head == "bilstm"
    assert model.provenance.training["data"]["clips"] == 41
    assert model.provenance.training["calibration"]["clips"] == 21
    weights = load_file(tmp_path / "run" / "compact" / "model.safetensors")
    assert {value.dtype for value in weights.values()} <= {torch.float16, torch.int64}
