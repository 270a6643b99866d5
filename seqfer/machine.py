"""How much of this machine a process may use."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version


def usable_cores() -> int:
    """CPU cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and batch systems give less than there is
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None where there is none of that name."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
