"""Running a sweep: what cannot go well is said before anything is done, and equal crops are made once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seqfer.datasets.manifest import read_manifest, write_manifest
from seqfer.datasets.opening import open_clips
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import ModelError, OptionError, OutputError
from seqfer.training import run
from seqfer.training.sweep import Sweep, read_sweep
from seqfer.training.sweep_results import Outcome, Results, write_results
from seqfer.training.sweep_run import check_sweep, open_cell, open_cells

SETTINGS = """
model: {encoder_settings: {stem_width: 8, widths: [8], blocks: [1]}, head: mean, size: 16}
data: {faces: none}
epochs: 1
batch_size: 4
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A manifest of twelve small stills of two expressions."""
    rng = np.random.default_rng(0)
    records = []
    for k in range(12):
        path = tmp_path / f"{k}.png"
        Image.fromarray(rng.integers(0, 255, (16, 16), np.uint8)).save(path)
        split = "train" if k < 8 else "validation"
        records.append(ClipRecord(f"clip {k}", path, ("happy", "sad")[k % 2], split=split))
    write_manifest(Manifest(tuple(records)), tmp_path / "m.csv")
    (tmp_path / "c.yaml").write_text(SETTINGS)
    return tmp_path / "m.csv"


def plan(data: Path, *grid: str, changes: tuple[str, ...] = ()) -> Sweep:
    return read_sweep(str(data.with_name("c.yaml")), changes, grid)


def check(sweep: Sweep, data: Path, cache: Path | None = None, resume: bool = False) -> None:
    check_sweep(sweep, read_manifest(data).records, data.with_name("out"), cache, resume)


def test_equal_crops_are_prepared_once_and_shared(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*arguments: Any) -> Any:
        asked.append(arguments[1].size)
        return open_clips(*arguments)

    monkeypatch.setattr(run, "open_clips", counted)
    sweep = plan(data, "seed=0,1", "model.size=16,24", "batch_size=4,8")
    opened = open_cells(sweep, data)
    assert sorted(asked) == [16, 24]
    trainers = [open_cell(cell, opened, data, data.with_name("out"), torch.device("cpu")) for cell in sweep.cells]
    assert sorted(asked) == [16, 24]
    assert [trainer.packed.preprocess.size for trainer in trainers] == [16, 16, 24, 24] * 2
    assert len({id(trainer.packed) for trainer in trainers}) == 2
    assert [trainer.run_folder.name for trainer in trainers] == [cell.name for cell in sweep.cells]


def test_one_cache_cannot_hold_crops_of_several_kinds(data: Path) -> None:
    check(plan(data, "model.size=16,24"), data)
    check(plan(data, "seed=0,1"), data, data.with_name("cache"))
    with pytest.raises(OptionError, match="the grid's cells read crops of several kinds; leave it out"):
        check(plan(data, "model.size=16,24"), data, data.with_name("cache"))


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("model.encoder=compact,resnet18", "grid cell model.encoder=resnet18: encoder 'resnet18' has no setting"),
        ("model.labels=[happy, sad],[happy, fear]", r"grid cell model.labels=happy-fear~\w+: clip 'clip 1' is"),
        ("start.weights=scratch,nowhere", "grid cell start.weights=nowhere: unknown model 'nowhere'"),
        ("start.stage_rates=[1],[1, 1, 1, 1]", "start.stage_rates has 4 entries"),
    ],
)
def test_a_cell_that_cannot_be_trained_is_named_before_any_is(grid: str, message: str, data: Path) -> None:
    with pytest.raises(OptionError, match=message):
        check(plan(data, grid), data)
    assert not data.with_name("out").exists()


def test_cells_that_all_learn_from_the_validation_clips_cannot_be_compared(data: Path) -> None:
    joint = ("select=last", "data.with_validation=true")
    with pytest.raises(
        OptionError, match="there are none that they do not learn from; make the split, or add --set"
    ):
        check(plan(data, "seed=0,1", changes=joint), data)
    sweep = plan(data, "data.with_validation=true,false", changes=joint[:1])
    check(sweep, data)  # one of them has figures; the other stands beside it without
    opened, cpu = open_cells(sweep, data), torch.device("cpu")
    outcomes = {}
    for cell in sweep.cells:
        trainer = open_cell(cell, opened, data, data.with_name("out"), cpu)
        list(trainer.run())
        outcomes[cell.name] = Outcome(tuple(trainer.history))
    found = Results(sweep, data.name, "", outcomes)
    assert [found.of(cell).figures is None for cell in sweep.cells] == [True, False]
    assert found.best is sweep.cells[1]
    write_results(found, data.parent)


def test_crops_that_differ_only_as_network_input_are_the_same(data: Path) -> None:
    opened = open_cells(plan(data, "model.equalize=true,false", "model.scaling=image,unit"), data)
    assert len(opened) == 1


def test_a_folder_holds_a_sweep_or_nothing(data: Path) -> None:
    out = data.with_name("out")
    sweep = plan(data, "seed=0,1")
    (out / "epochs=3").mkdir(parents=True)  # a cell of an earlier grid
    (out / "sweep.csv").touch()
    with pytest.raises(OutputError, match="exists already; use --resume"):
        check(sweep, data)
    check(sweep, data, resume=True)
    (out / "seed=0").mkdir()
    (out / "seed=0" / "thesis.doc").touch()
    with pytest.raises(OutputError, match=r"seed=0: holds something else than a training run"):
        check(sweep, data, resume=True)
    (out / "seed=0" / "state.pt").touch()  # a run, with something beside it
    check(sweep, data, resume=True)
    shutil.rmtree(out)
    out.mkdir()
    (out / "thesis.doc").touch()
    with pytest.raises(OutputError, match="out: holds something else than a sweep"):
        check(sweep, data, resume=True)


def test_a_cell_goes_on_only_with_its_own_settings(data: Path) -> None:
    sweep = plan(data, "seed=0,1")
    cpu, out = torch.device("cpu"), data.with_name("out")
    list(open_cell(sweep.cells[0], open_cells(sweep, data), data, out, cpu).run())
    again = open_cell(sweep.cells[0], open_cells(sweep, data), data, out, cpu)
    assert again.finished
    assert len(again.history) == 1
    other = plan(data, "seed=0,1", changes=("optimizer.rate=0.5",))
    with pytest.raises(ModelError, match=r"seed=0.*begun with another optimizer\.rate"):
        open_cell(other.cells[0], open_cells(other, data), data, out, cpu)
