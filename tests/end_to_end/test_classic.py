"""`seqfer classic`: from a manifest to a forest, and from a forest to the same report as any model's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.commands import Run, seqfer

SETTINGS = """
features: {encoder: compact, encoder_settings: {stem_width: 8, widths: [8, 16], blocks: [1, 1]}, size: 16,
           channels: 1, weights: scratch}
data: {faces: none}
selection: {ants: 3, trees: 30, iterations: 2}
forest: {trees: 20}
"""
HEAD = "clip_id,path,label,subject_id,split\n"


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Light and dark stills in the splits of FER-2013; sad ones are rarer."""
    folder = tmp_path_factory.mktemp("classic")
    rng = np.random.default_rng(0)
    for split, counts in (("train", {"happy": 20, "sad": 8}), ("test", {"happy": 12, "sad": 7})):
        for expression, count in counts.items():
            place = folder / "set" / split / expression
            place.mkdir(parents=True)
            for number in range(count):
                picture = rng.normal(128, 45, (16, 16))
                picture[:8] += 50 if expression == "happy" else -50
                Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(place / f"{number}.png")
    (folder / "c.yaml").write_text(SETTINGS)
    rows = (f"{expression},set/test/{expression}/0.png,{expression},,test\n" for expression in ("happy", "sad"))
    (folder / "unlearnt.csv").write_text(HEAD + "".join(rows))
    done = seqfer("manifest", "fer2013", "set", "-o", "m.csv", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    done = seqfer("classic", "fit", "c.yaml", "--data", "m.csv", "-o", "forest", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_forest_is_fitted_measured_and_compared(stills: Path, run_here: Run) -> None:
    description = json.loads((stills / "forest" / "forest.json").read_text())
    assert description["training"]["clips"] == {"before_smote": 28, "after_smote": 40}
    assert description["training"]["data"]["manifest"] == "m.csv"

    done = run_here("classic", "evaluate", "forest", "--data", "m.csv", "-o", "real", cwd=stills)
    assert done.returncode == 0, done.stderr
    real = json.loads((stills / "real" / "metrics.json").read_text())
    assert (real["clips"], real["leaky"], real["split"]) == (19, "", "test")
    assert real["accuracy"] > 0.8

    resampled = ("classic", "evaluate", "forest", "--data", "m.csv", "-o", "both", "--resample-test")
    done = run_here(*resampled, cwd=stills)
    assert done.returncode == 0
    assert "the split test was resampled: 5 of these 24 clips are synthetic" in done.stderr
    both = json.loads((stills / "both" / "metrics.json").read_text())
    assert both["clips"] == 24
    assert "synthetic" in both["leaky"]
    assert "synthetic" in (stills / "both" / "report.md").read_text()

    without = ("classic", "fit", "c.yaml", "--data", "m.csv", "-o", "plain", "--set", "smote.on=false")
    assert run_here(*without, cwd=stills).returncode == 0
    assert run_here("classic", "evaluate", "plain", "--data", "m.csv", "-o", "before", cwd=stills).returncode == 0
    done = run_here("compare", "before", "real", "-o", "comparison", cwd=stills)
    assert done.returncode == 0, done.stderr
    assert (stills / "comparison" / "matrices.png").is_file()


def test_fitted_again_it_is_the_same_and_replaces_only_when_asked(stills: Path, run_here: Run) -> None:
    command = ("classic", "fit", "c.yaml", "--data", "m.csv", "-o", "forest")
    before = (stills / "forest" / "forest.safetensors").read_bytes()
    done = run_here(*command, cwd=stills)
    assert done.returncode == 1
    assert "forest: exists already" in done.stderr
    assert run_here(*command, "--overwrite", cwd=stills).returncode == 0
    assert (stills / "forest" / "forest.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "p4", "--data", "m.csv"), "unknown settings 'p4'; known: papers/p4-mobilenet-forest"),
        (("fit", "compact", "--data", "m.csv"), "unknown settings 'compact'"),
        (("fit", "c.yaml", "--data", "m.csv", "--set", "forest.tree=3"), "did you mean 'forest.trees'?"),
        (("fit", "c.yaml", "--data", "m.csv", "--set", "smote.neighbours=9"), "'sad' has 8 clips, but SMOTE by 9"),
        (("fit", "c.yaml", "--data", "unlearnt.csv"), "there is no training clip"),
        (("fit", "c.yaml", "--data", "gone.csv"), "gone.csv: cannot be read"),
        (("fit", "c.yaml", "--data", "m.csv", "--set", "features.weights=gone"), "unknown model 'gone'"),
        (("fit", "c.yaml", "--data", "m.csv", "--device", "tpu"), "unknown device 'tpu'"),
        (("evaluate", "gone", "--data", "m.csv"), "gone: no such model folder"),
        (("evaluate", "set", "--data", "m.csv"), "forest.safetensors: missing"),
        (("evaluate", "forest", "--data", "m.csv", "--split", "tset"), "unknown split 'tset'"),
        (("evaluate", "forest", "--data", "m.csv", "--split", "validation"), "m.csv: no clip is in the split"),
        (("evaluate", "forest", "--data", "unlearnt.csv", "--split", "train"), "unlearnt.csv: no clip is in the"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line(stills: Path, arguments: tuple[str, ...], message: str, run_here: Run) -> None:
    done = run_here("classic", *arguments, "-o", "never", cwd=stills)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert not (stills / "never").exists()
