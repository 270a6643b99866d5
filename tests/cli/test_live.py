from __future__ import annotations

import os
import signal
import sys

import pytest

from seqfer.cli.live import _ended_by_signals


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_a_closed_terminal_ends_it_in_good_order() -> None:
    ended: list[bool] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with _ended_by_signals(lambda: ended.append(True)):
            os.kill(os.getpid(), signal.SIGHUP)
        assert ended == [True]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_under_nohup_a_closed_terminal_means_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ended: list[bool] = []
        with _ended_by_signals(lambda: ended.append(True)):
            os.kill(os.getpid(), signal.SIGHUP)
        assert ended == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
