"""Running the command line as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Finished: TypeAlias = subprocess.CompletedProcess[str]
Run: TypeAlias = Callable[..., Finished]  # of `run_here`


def seqfer(*arguments: str | Path, cwd: Path, variables: dict[str, str] | None = None) -> Finished:
    """The finished process of `seqfer ARGUMENTS`, with some environment variables."""
    command = [sys.executable, "-m", "seqfer.cli.main", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **(variables or {})}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
