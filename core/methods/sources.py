"""The text that a method's results depend on: its own file and what it imports from this room."""

from __future__ import annotations

import ast
import hashlib
import inspect
from pathlib import Path

from core.methods.base import Method

PACKAGE = "core.methods."
FOLDER = Path(__file__).parent


def source_files(method: type[Method]) -> tuple[Path, ...]:
    """The method's file and every file of this room that it imports, directly or not, sorted.

    A method may live in a user's own file: that is read where it lies.
    """
    start = Path(inspect.getfile(method))
    found: dict[Path, None] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found[path] = None
        waiting += [FOLDER / f"{name}.py" for name in _imported(path)]
    return tuple(sorted(found))


def source_hash(method: type[Method]) -> str:
    """SHA-256 (hex) of the text of `source_files`, in their order: another text is another method."""
    digest = hashlib.sha256()
    for path in source_files(method):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _imported(path: Path) -> list[str]:
    """Names of this room's modules that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            if node.module.startswith(PACKAGE):
                names.append(node.module.removeprefix(PACKAGE).split(".")[0])
            elif node.module == PACKAGE.rstrip("."):
                names += [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name.removeprefix(PACKAGE) for alias in node.names if alias.name.startswith(PACKAGE)]
    return names
