from __future__ import annotations

import io
import os
import sys

import pytest
from rich.console import Console

from seqfer.cli import console, main
from seqfer.errors import SeqferError


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.error_line(SeqferError("clip.mp4: is\nbroken  in two"))
    captured = capsys.readouterr()
    assert captured.err == "error: clip.mp4: is broken in two\n"
    assert captured.out == ""


def test_off_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("clip.mp4") as advance:
        advance(3, 10)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_bar_shows_frames_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    screen = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=screen, force_terminal=True, width=100))
    with console.progress("clip.mp4") as advance:
        for done in range(1, 101):
            advance(done, 100)
    assert "clip.mp4" in screen.getvalue()
    assert "100/100 frames" in screen.getvalue()
    with console.progress("unknown.mp4") as advance:
        advance(7, None)
    assert "7 frames" in screen.getvalue()


def test_what_looks_like_markup_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    table = console.plain_table("[red]", "other")
    table.add_row("[happy, sad]", "[/x]")
    console.out.print(table)
    console.say("[bold]folder[/bold]")
    console.say("take :fearful: 2.mp4")
    printed = capsys.readouterr().out
    for text in ("[red]", "[happy, sad]", "[/x]", "[bold]folder[/bold]", "take :fearful: 2.mp4"):
        assert text in printed


def test_a_name_that_the_output_cannot_hold_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    monkeypatch.setattr(main, "app", lambda: console.say("\u65e5\u672c.mp4"))
    main.run()
    sys.stdout.flush()
    assert written.getvalue() == b"\\u65e5\\u672c.mp4" + os.linesep.encode()
