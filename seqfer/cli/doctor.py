"""`seqfer doctor`: versions, devices, decoders, detectors, and what is wrong with the environment."""

from __future__ import annotations

import typer

from seqfer.cli.console import out, say


def doctor() -> None:
    """Check this machine: versions, devices, decoders, detectors, models, and what to mend."""
    from seqfer.environment import examine

    problems = 0
    for finding in examine():
        problems += finding.remedy is not None
        out.print("!!" if finding.remedy else "ok", style="red" if finding.remedy else "green", end=" ")
        say(f"{finding.subject:24s} {finding.state}")
        if finding.remedy:
            say(f"   {'':24s} {finding.remedy}")
    if problems:
        out.print(f"{problems} problem{'s' * (problems != 1)} found")
        raise typer.Exit(1)
    out.print("nothing is wrong")
