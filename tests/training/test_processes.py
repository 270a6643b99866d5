"""Several processes make the steps that one would make with the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from seqfer.training.processes import SharedBatchNorm, Team, own_batch_norms, share_batch_norms

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"
SETTINGS = """
model: {encoder_settings: {stem_width: 8, widths: [8, 16], blocks: [1, 1]}, head_settings: {width: 8}, size: 16}
data: {faces: none}
# Sensor noise and dropout are drawn by each process for itself; all else is drawn together.
augmentation: {noise: 0}
loss: {class_weights: balanced, frame: 0.5, label_smoothing: 0.1}
optimizer: {name: adamw, rate: 0.003, ema: 0.9, clip_norm: 1}
schedule: {name: one_cycle}
epochs: 4
batch_size: 7
precision: float32
"""

BATCH_NORMS = """
import os, torch, torch.distributed as dist
from torch import nn
from seqfer.training.processes import share_batch_norms
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
images = torch.randn(8, 3, 5, 5) * 2 + 1
norm = nn.Sequential(nn.BatchNorm2d(3))
nn.init.uniform_(norm[0].weight)
share_batch_norms(norm)
part = images[:6] if rank == 0 else images[6:]  # parts of different size
part.requires_grad_()
out = norm(part)
out.pow(3).sum().backward()
torch.save([out.detach(), part.grad, norm.state_dict()], f"{rank}.pt")
dist.destroy_process_group()
"""


def torchrun(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command]
    return subprocess.run(
        launcher, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_a_shared_batch_norm_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    (tmp_path / "norms.py").write_text(BATCH_NORMS)
    done = torchrun(tmp_path, "norms.py")
    assert done.returncode == 0, done.stderr
    torch.manual_seed(0)
    images = (torch.randn(8, 3, 5, 5) * 2 + 1).requires_grad_()
    norm = nn.Sequential(nn.BatchNorm2d(3))
    nn.init.uniform_(norm[0].weight)  # type: ignore[arg-type]
    out = norm(images)
    out.pow(3).sum().backward()
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert torch.allclose(torch.cat([parts[0][0], parts[1][0]]), out, atol=1e-5)
    assert images.grad is not None
    assert torch.allclose(torch.cat([parts[0][1], parts[1][1]]), images.grad, atol=1e-4)
    for _, _, state in parts:
        for name, value in norm.state_dict().items():
            assert torch.allclose(state[name], value, atol=1e-5), name


def test_two_processes_have_the_losses_of_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["clip_id,path,label,split"]
    for number in range(36):
        picture = rng.integers(0, 200, (16, 16)) + 50 * (np.arange(16) % 4 < 2) * (number % 2)
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(
            f"{number},{number}.png,{('happy', 'sad')[number % 2]},{'train' if number < 24 else 'validation'}"
        )
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text(SETTINGS)
    command = [str(SCRIPT), "c.yaml", "--data", "m.csv", "--device", "cpu", "-o"]
    alone = subprocess.run(
        [sys.executable, *command, "one"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (alone.returncode, alone.stderr) == (0, "")
    done = torchrun(tmp_path, *command, "two")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(alone.stdout.splitlines()) == 5  # only one of them speaks
    one, two = (
        [json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("one", "two")
    )
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], rel=1e-3)
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-5)
    figures = [[line["validation"]["log_loss"] for line in run] for run in (one, two)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-2)


def test_a_team_of_one_does_nothing() -> None:
    team, module = Team(), nn.BatchNorm2d(2)
    assert team.leads
    assert team.told("x") == "x"
    assert team.wrap(module, torch.device("cpu")) is module
    assert type(module) is nn.BatchNorm2d


def test_batch_norms_are_shared_and_owned_in_place() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    state = {name: value.clone() for name, value in module.state_dict().items()}
    share_batch_norms(module)
    assert isinstance(module[1], SharedBatchNorm)
    assert torch.allclose(module.eval()(torch.ones(1, 1, 4, 4)), module(torch.ones(1, 1, 4, 4)))
    own_batch_norms(module)
    assert type(module[1]) is nn.BatchNorm2d
    assert state.keys() == module.state_dict().keys()
