"""`seqfer export` from outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.commands import Run, seqfer

runtime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("onnx", reason="the extra export is not installed")


def test_a_bundled_model_becomes_a_file_that_reads_faces(tmp_path: Path, run_here: Run) -> None:
    done = seqfer("export", "compact", "-o", "new/compact.onnx", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "compact -> new/compact.onnx (6.8 MB)" in done.stdout
    assert "frames (B, T, 1, 48, 48) -> frame_probabilities (B, T, 7), clip_probabilities (B, 7)" in done.stdout
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["compact.onnx"]
    session = runtime.InferenceSession(tmp_path / "new" / "compact.onnx", providers=["CPUExecutionProvider"])
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    frames, clips = session.run(None, {"frames": np.zeros((2, 3, 1, 48, 48), np.uint8)})
    assert frames.shape == (2, 3, len(labels))
    np.testing.assert_allclose(clips.sum(1), 1, atol=1e-5)
    again = run_here("export", "compact", "-o", "new/compact.onnx", cwd=tmp_path)
    assert again.returncode == 1
    assert again.stderr == "error: new/compact.onnx: exists already; use --overwrite to replace it\n"
    assert run_here("export", "compact", "-o", "new/compact.onnx", "--overwrite", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("model", "output", "said"),
    [
        ("compct", "m.onnx", "unknown model 'compct'; did you mean 'compact'?"),
        ("runs/none", "m.onnx", "runs/none: no such model folder"),
        ("empty", "m.onnx", "empty/model.json: missing"),
        ("compact", "m.pt", "m.pt: must end in .onnx"),
        ("compact", "m", "m: must end in .onnx"),
        ("compact", "folder.onnx", "folder.onnx: is a folder; name a file in it"),
        ("compact", "file.txt/m.onnx", "file.txt/m.onnx: cannot be written (File exists)"),
    ],
)
def test_bad_input_is_one_line(model: str, output: str, said: str, tmp_path: Path, run_here: Run) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file.txt").touch()
    done = run_here("export", model, "-o", output, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {said}")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file.txt", "folder.onnx"]
