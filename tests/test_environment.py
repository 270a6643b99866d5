from __future__ import annotations

import pytest

from seqfer import environment
from seqfer.environment import Finding, examine, required_packages
from seqfer.machine import installed_version


def by_subject() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


def test_here_nothing_is_wrong() -> None:
    found = by_subject()
    assert {f.subject: f.remedy for f in found.values() if f.remedy} == {}
    for subject in (
        "python",
        "torch",
        "CUDA",
        "decoding (PyAV)",
        "detector mediapipe",
        "detector haar",
        "model compact",
    ):
        assert subject in found


def test_two_opencv_installs_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        environment,
        "installed_version",
        lambda name: "5.0" if name == "opencv-python-headless" else installed_version(name),
    )
    finding = by_subject()["OpenCV installs"]
    assert finding.remedy is not None
    assert "pip uninstall opencv-python-headless" in finding.remedy
    assert "opencv-contrib-python" in finding.state


def test_a_missing_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        environment, "installed_version", lambda name: None if name == "pandas" else installed_version(name)
    )
    assert "pip install pandas" in (by_subject()["pandas"].remedy or "")


def test_every_package_that_is_needed_is_looked_at() -> None:
    names = required_packages()
    assert {"matplotlib", "pydantic", "rich", "torch", "typer"} <= set(names)
    assert not {"pytest", "ruff"} & set(names)  # for developers
    assert set(names) <= set(by_subject())


def test_what_breaks_is_a_finding_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("no graph\nfor you")

    monkeypatch.setattr("seqfer.faces.types.create_detector", broken)
    found = by_subject()
    assert found["mediapipe"].state  # the package is there
    assert any("RuntimeError: no graph for you" in finding.state for finding in examine())


def test_other_pythons_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 13, 0))
    assert "3.12" in (by_subject()["python"].remedy or "")
