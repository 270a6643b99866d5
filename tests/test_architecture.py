"""The rooms import only from the floors below their own."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seqfer"
# From the ground up; rooms on one floor do not know each other.
FLOORS = [
    {"errors", "__init__"},
    {"labels", "files", "machine", "prefetch", "edges", "settings"},
    {"preprocess", "video"},
    {"faces", "models", "timeline"},
    {"annotation", "datasets", "live", "explanation"},
    {"evaluation", "demo", "environment"},
    {"training", "classic"},
    {"papers"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports_of(path: Path) -> list[str]:
    """Every module of ours that a file imports, wherever in the file it does."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "seqfer":
                # The root gives names of every floor; inside the house each is fetched where it lives.
                assert [alias.name for alias in node.names] == ["__version__"], f"{path} imports through the root"
            found += [node.module] if node.module and node.module.startswith("seqfer") else []
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.startswith("seqfer")]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0].removesuffix(".py")
    if relative == Path("__init__.py"):
        return  # the public names come from every floor, lazily
    for module in imports_of(path):
        other = room_of(module)
        if other != room:
            assert FLOOR_OF[other] < FLOOR_OF[room], f"{relative} imports {module}, from a floor not below its own"
        elif path.name == "types.py":
            # Factories and methods may reach up when they are called, not before.
            assert is_lazy(path, module), f"{relative} is the ground of its room and imports {module}"


def is_lazy(path: Path, module: str) -> bool:
    tree = ast.parse(path.read_text())
    at_import = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return all(node.module != module for node in at_import)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import seqfer", {"torch", "numpy", "cv2", "av", "mediapipe", "rich", "typer", "matplotlib", "pandas"}),
        ("import seqfer.cli.main", {"torch", "numpy", "cv2", "av", "mediapipe", "matplotlib", "pandas"}),
        ("import seqfer.annotation", {"torchvision", "matplotlib", "pandas", "pyarrow"}),
        (
            "import seqfer.live.reader, seqfer.live.session, seqfer.live.sources, seqfer.live.recording",
            {"mediapipe", "torchvision", "matplotlib", "pandas", "pyarrow"},
        ),
        ("import seqfer.training.head", {"mediapipe", "av", "pandas"}),
        (
            "import seqfer.training.run, seqfer.training.crossval, seqfer.training.config_file",
            {"mediapipe", "av", "cv2", "pandas", "torchvision"},
        ),
    ],
)
def test_heavy_imports_happen_where_they_are_needed(statement: str, forbidden: set[str]) -> None:
    import subprocess

    code = f"{statement}; import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not forbidden & set(loaded)
