"""The commands that recipes are made of."""

from __future__ import annotations

from pathlib import Path

from seqfer.papers.types import Step


def manifest(kind: str, data: Path, out: Path, split: str, *options: str) -> Step:
    """List a data set's clips, with their splits or folds."""
    made = out / "manifest.csv"
    return Step(("manifest", kind, str(data), "-o", str(made), "--split", split, *options), made)


def cleaned(out: Path) -> Step:
    """Leave out what repeats a picture that is held out longer, or another training picture."""
    made = out / "clean.csv"
    return Step(("audit", str(out / "manifest.csv"), "--write", str(made)), made, partial=True)


def trained(config: str, data: Path, out: Path, changes: tuple[str, ...]) -> Step:
    """Train on a manifest's split."""
    arguments = ("train", f"papers/{config}", "--data", str(data), "-o", str(out), "--resume")
    return Step((*arguments, *set_options(changes)), out / "best", repeat=True)


def fitted(config: str, data: Path, out: Path, changes: tuple[str, ...]) -> Step:
    """Fit a forest on a manifest's training split."""
    arguments = ("classic", "fit", f"papers/{config}", "--data", str(data), "-o", str(out))
    return Step((*arguments, *set_options(changes)), out)


def measured(model: Path, data: Path, out: Path, *options: str, group: tuple[str, ...] = ()) -> Step:
    """Measure a model, or a forest in the group `classic`, on the test split."""
    arguments = ("evaluate", str(model), "--data", str(data), "-o", str(out), "--overwrite", *options)
    return Step((*group, *arguments), out / "metrics.json", repeat=True, partial=True)


def crossed(config: str, data: Path, out: Path, changes: tuple[str, ...]) -> Step:
    """Train and measure in every fold."""
    arguments = ("crossval", f"papers/{config}", "--data", str(data), "-o", str(out), "--resume")
    return Step((*arguments, *set_options(changes)), out / "evaluation" / "metrics.json", repeat=True)


def swept(sweep: str, data: Path, out: Path, changes: tuple[str, ...]) -> Step:
    """Train on a grid of settings."""
    arguments = ("sweep", f"papers/{sweep}", "--data", str(data), "-o", str(out), "--resume")
    return Step((*arguments, *set_options(changes)), out / "table.md", repeat=True)


def set_options(changes: tuple[str, ...]) -> tuple[str, ...]:
    """Changes of settings as a command takes them."""
    return tuple(part for change in changes for part in ("--set", change))


def train_and_measure(
    configs: dict[str, str], data: Path, out: Path, changes: tuple[str, ...], *options: str
) -> list[Step]:
    """Train and measure several settings, each in a folder of its own."""
    steps = []
    for name, config in configs.items():
        steps.append(trained(config, data, out / name, changes))
        steps.append(measured(out / name / "best", data, out / f"{name}-evaluation", *options))
    return steps
