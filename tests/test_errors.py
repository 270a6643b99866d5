from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from seqfer.errors import DatasetError, OptionError, OutputError, SeqferError, VideoError


@pytest.mark.parametrize(
    "error",
    [
        VideoError("a.mp4", "is empty"),
        DatasetError(Path("m.csv"), "lacks a column"),
        OutputError("out", "is full"),
        OptionError("--every must be at least 1"),
    ],
)
def test_errors_reach_another_process_whole(error: SeqferError) -> None:
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
