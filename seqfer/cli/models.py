"""`seqfer models`: the bundled models and their figures."""

from __future__ import annotations

from typing import Any

from seqfer.cli.console import out, plain_table


def models() -> None:
    """List the bundled models with their figures; docs/models/ has their cards."""
    from seqfer.models.bundled import bundled_models, load_model, model_folder

    table = plain_table("model", "parameters", "size", "labels", "FER-2013 PrivateTest accuracy", "UAR")
    for name in bundled_models():
        checkpoint = load_model(name)
        figures = checkpoint.provenance.metrics.get("PrivateTest", {})
        parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
        size = sum(file.stat().st_size for file in model_folder(name).iterdir()) / 1e6
        table.add_row(
            name,
            f"{parameters / 1e6:.2f} M",
            f"{size:.1f} MB",
            ", ".join(checkpoint.model.architecture.labels),
            _share(figures, "accuracy"),
            _share(figures, "uar"),
        )
    out.print(table)


def _share(figures: dict[str, Any], key: str) -> str:
    if key not in figures:
        return "not measured"
    low, high = figures[f"{key}_interval"]
    return f"{100 * figures[key]:.1f} % ({100 * low:.1f}, {100 * high:.1f})"
