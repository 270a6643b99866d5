from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from seqfer.papers.data import how_present


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    assert how_present("ckplus48", tmp_path / "none") == f"{tmp_path / 'none'}: not there"
    for label in ("anger", "happiness"):
        (tmp_path / "ck" / label).mkdir(parents=True)
        for frame in (1, 2, 3):
            Image.fromarray(np.zeros((48, 48), np.uint8)).save(
                tmp_path / "ck" / label / f"S010_004_{frame:08d}.png"
            )
    assert how_present("ckplus48", tmp_path / "ck") == f"{tmp_path / 'ck'}: 2 clips"
    assert how_present("fer2013", tmp_path / "ck") == f"{tmp_path / 'ck'}: is no fer2013"
