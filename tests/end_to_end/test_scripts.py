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
CHANGES = ("epochs=1", "schedule.warmup=0.2", "batch_size=16", "model.encoder_settings.widths=[8, 8, 8, 8]")
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


def test_bundled_models_are_trained_by_commands_that_can_be_given_again(fer2013: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def train(name: str) -> str:
        command = [sys.executable, str(SCRIPTS / "train_bundled.py"), name, str(fer2013), "-o", str(run)]
        done = subprocess.run([*command, *QUICK], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, second = train("compact"), train("accurate")
    assert "1 training and 0 validation clips dropped" in first
    assert "nothing is left to do" not in first
    assert second.count("nothing is left to do") == 3  # compact's network and the two that taught it are there
    models = {name: load_model(run / name) for name in ("compact", "accurate")}
    for name, found in models.items():
        assert found.model.architecture.head == "bilstm"
        weights = load_file(run / name / "model.safetensors")
        assert {value.dtype for value in weights.values()} <= {torch.float16, torch.int64}
        assert found.provenance.training["calibration"]["clips"] == 21
    taught = models["compact"].provenance.training
    assert taught["data"]["clips"] == 41
    assert taught["config"]["teacher"]["model"] == "teacher"
    settings = models["accurate"].model.architecture.encoder_settings
    assert [encoder for encoder, _ in settings["members"]] == ["vgg", "compact"]
    assert settings["mirrored"]
