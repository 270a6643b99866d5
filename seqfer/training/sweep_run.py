"""Running a sweep: what cannot go well is said first, crops are prepared once, and cells trained one by one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from seqfer.datasets.packed import PackedClips
from seqfer.datasets.types import ClipRecord, Manifest
from seqfer.errors import OptionError, SeqferError
from seqfer.files import check_output
from seqfer.preprocess import Preprocess
from seqfer.training.config import TrainConfig
from seqfer.training.loop import Trainer
from seqfer.training.run import check_contents, check_data, check_folder, describe, open_data, parts_of
from seqfer.training.sweep import Cell, Sweep
from seqfer.training.sweep_results import OWN_FILES

Crops = tuple[Preprocess, str, float]  # what a cache of crops is made by
Opened = dict[Crops, tuple[PackedClips, Manifest]]


def check_sweep(
    sweep: Sweep, records: Sequence[ClipRecord], folder: Path, cache: Path | None, resume: bool
) -> None:
    """Raise SeqferError if a cell cannot be trained on a manifest's clips, or the folder cannot hold the sweep."""
    # A folder may hold cells of an earlier grid beside those of this one.
    check_contents(folder, resume, "a sweep", lambda name: name in OWN_FILES or "=" in name)
    check_output(folder, overwrite=True)
    if cache and len({_crops(cell.config) for cell in sweep.cells}) > 1:
        raise OptionError(
            "--cache names one folder, but the grid's cells read crops of several kinds; leave it out, and each "
            "kind gets a folder beside the manifest"
        )
    for cell in sweep.cells:
        check_folder(folder / cell.name, resume=True)
        try:
            check_data(cell.config, records)
        except SeqferError as error:
            raise OptionError(f"grid cell {cell.name}: {error}") from error
    if not any(parts_of(cell.config, records)[1] for cell in sweep.cells):
        raise OptionError(
            "a sweep compares its cells on clips of the split validation, but there are none that they do not "
            "learn from; make the split, or add --set data.with_validation=false --set select=accuracy"
        )


def open_cells(
    sweep: Sweep,
    data: Path,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Opened:
    """The clips of all cells: those whose crops are the same share them.

    Raises:
        DatasetError: the manifest or the cache cannot be read, or they do not match.
        OutputError: a cache cannot be written.
    """
    configs = {_crops(cell.config): cell.config for cell in sweep.cells}
    return {crops: open_data(config, data, cache, progress=progress) for crops, config in configs.items()}


def open_cell(cell: Cell, opened: Opened, data: Path, folder: Path, device: torch.device) -> Trainer:
    """A cell's trainer, in a folder of its own within `folder`: begun anew, or gone on with where it stands.

    Raises:
        SeqferError: the cell was begun with other settings or clips, or cannot be written.
    """
    gc.collect()  # the cell before may linger in a cycle of references, and a GPU has no room for two
    packed, manifest = opened[_crops(cell.config)]
    clips = parts_of(cell.config, packed.clips)
    return Trainer(cell.config, packed, *clips, folder / cell.name, device, data=describe(data, manifest, packed))


def _crops(config: TrainConfig) -> Crops:
    return config.model.preprocess.of_crops(config.data.faces), config.data.faces, config.data.picture_rate
