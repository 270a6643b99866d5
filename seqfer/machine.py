"""What a process finds around it: cores, stderr, installed packages."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")  # of Linux

_QUIET = threading.RLock()


def usable_cores() -> int:
    """CPU cores' worth of time that this process may use, at least 1.

    Batch systems give a process some of the cores, containers a share of the time of all.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_quota())))


def _quota() -> float:
    """The cores' worth of time that a container is given; 2**31 where nothing limits it."""
    with suppress(OSError, ValueError):
        quota, period = (CONTROL_GROUP / "cpu.max").read_text().split()
        return int(quota) / int(period)  # "max": no number
    with suppress(OSError, ValueError):  # the older way
        quota, period = ((CONTROL_GROUP / f"cpu/cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota) > 0:  # -1 where nothing limits it
            return int(quota) / int(period)
    return 2**31


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep libraries in C++ from writing to stderr.

    They write to the descriptor itself, so that is what is turned away; other threads' messages go with it for
    that moment. One thread at a time: a second one would take the first one's nowhere for what is to be restored.
    """
    with _QUIET:
        try:
            saved = os.dup(2)
        except OSError:  # a program with windows alone may have no stderr
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None where there is none of that name."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
