#!/usr/bin/env python
"""`seqfer train` as a script, which is what torchrun starts.

python scripts/train.py CONFIG --data M.csv -o RUN
torchrun --nproc-per-node 4 scripts/train.py CONFIG --data M.csv -o RUN
"""

from __future__ import annotations

import sys

from seqfer.cli.main import run

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    run()
