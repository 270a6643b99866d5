"""How much of this machine a process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """CPU cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and batch systems give less than there is
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
