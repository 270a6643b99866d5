"""`seqfer train`: settings and a manifest in, a model of one's own out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqfer.cli.console import progress, remark_left_out, remark_line, say
from seqfer.cli.following import follow
from seqfer.cli.reading import Cache, Data, Device

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG", help="A YAML file of settings, or the name of one of ours.", show_default=False
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: --set epochs=50 --set optimizer.rate=0.01"),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what lies in the folder, if anything does.")]


def train(
    config: Config,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="Folder of the run.")],
    set_: Set = None,
    resume: Resume = False,
    cache: Cache = None,
    device: Device = "auto",
) -> None:
    """Train a model on a manifest's split `train`; its split `validation` chooses the best epoch.

    The clips are prepared first if they are not. RUN gets the models `best` and `last`, config.yaml, metrics.jsonl
    and curves.png; `seqfer annotate --model RUN/best` uses the model. Several GPUs: torchrun scripts/train.py
    """
    from seqfer.models.inference import choose_device
    from seqfer.training.config_file import read_config
    from seqfer.training.processes import join_team
    from seqfer.training.run import open_run

    settings = read_config(config, set_ or ())
    with join_team(choose_device(device)) as (team, own):
        with progress("preparing", "clips") as advance:
            trainer = open_run(settings, data, output, cache, own, resume, team, advance)
        if team.leads:
            remark_left_out(trainer.packed.left_out)
            if trainer.data["leaky"] and settings.select != "last":
                remark_line(f"validation figures will be too good: {trainer.data['leaky']}")
        if trainer.history and team.leads:
            doing = "nothing is left to do" if trainer.finished else "going on"
            say(f"{len(trainer.history)} of {settings.epochs} epochs lie in {output}; {doing}")
        follow(trainer)
        if team.leads:
            kept = max((entry for entry in trainer.history if entry["best"]), key=lambda entry: entry["epoch"])
            figures, kind = kept["validation"], "last" if settings.select == "last" else "best"
            line = f"{kind} epoch {kept['epoch']}"
            if figures:
                shares = f"UAR {100 * figures['uar']:.1f} %, accuracy {100 * figures['accuracy']:.1f} %"
                line += f": {shares} of {figures['clips']} validation clips"
            say(f"{line} -> {output / 'best'}")
