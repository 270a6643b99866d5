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
SMALL = "model.encoder_settings={stem_width: 4, widths: [8, 8], blocks: [1, 1]}"
CHANGES = ("epochs=1", "schedule.warmup=0.2", "batch_size=16", SMALL)
QUICK = (*(word for change in CHANGES for word in ("--set", change)), "--steps", "2")


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


def test_a_bundled_model_is_trained_by_a_command_that_can_be_given_again(fer2013: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def train() -> str:
        command = [sys.executable, str(SCRIPTS / "train_bundled.py"), "compact", str(fer2013), "-o", str(run)]
        done = subprocess.run([*command, *QUICK], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, again = train(), train()
    assert "1 training and 0 validation clips dropped" in first
    assert "nothing is left to do" not in first
    assert again.count("nothing is left to do") == 3  # it and its teacher's networks are there already
    found = load_model(run / "compact")
    assert found.model.architecture.encoder == "compact"
    assert found.model.architecture.head == "bilstm"
    weights = load_file(run / "compact" / "model.safetensors")
    assert {value.dtype for value in weights.values()} <= {torch.float16, torch.int64}
    taught = found.provenance.training
    assert taught["calibration"]["clips"] == 21
    assert taught["data"]["clips"] == 41
    assert taught["config"]["teacher"]["model"] == "teacher"
