"""`seqfer models`: the bundled models and their figures."""

from __future__ import annotations

from seqfer.cli.console import out, plain_table


def models() -> None:
    """List the bundled models with their figures; docs/models/ has their cards."""
    from seqfer.evaluation.tables import with_interval
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
            *(with_interval(figures, key) if key in figures else "not measured" for key in ("accuracy", "uar")),
        )
    out.print(table)
