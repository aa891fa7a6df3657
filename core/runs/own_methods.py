"""Methods from users' own files in a workspace: a copy is kept, so that a run can be made again after the file has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.methods.card import Card
from core.methods.source import add_file, cards, own_file
from core.workspace import Workspace, write_atomic

KEPT = re.compile(r"[A-Za-z0-9_]{1,60}-[0-9a-f]{16}\.py")
"""Name of a kept file: a run's specification may come from a stranger, and names a file of this workspace or none."""


def keep(workspace: Workspace, file: str | Path) -> tuple[str, ...]:
    """Copy a user's file into the workspace and make its methods known; their names.

    Raises UserError for a file that is not there or is no method (`core.methods.source.add_file`).
    """
    path = Path(file).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    add_file(path)
    stem = re.sub(r"[^A-Za-z0-9_]", "_", path.stem)[:60] or "method"
    target = workspace.methods / f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.py"
    if not target.is_file():
        write_atomic(target, content)
    return add_file(target)


_methods: dict[Path, tuple[str, ...]] = {}
"""By kept file, what it holds: a file of this name never changes."""


def cards_here(workspace: Workspace) -> dict[str, Card]:
    """Cards of all methods that can be asked for in this workspace: those of its kept files too, of a method's files the one kept last.

    A file is read, not run. One that cannot be read any more is left out; asking for its method says why.
    """
    latest: dict[str, Path] = {}
    for path in sorted((path for path in workspace.methods.glob("*.py") if KEPT.fullmatch(path.name)), key=lambda path: path.stat().st_mtime_ns):
        if path not in _methods:
            try:
                _methods[path] = add_file(path)
            except UserError:
                _methods[path] = ()
        latest |= dict.fromkeys(_methods[path], path)
    for name, path in latest.items():
        if own_file(name) != path:
            add_file(path)
    return {name: card for name, card in cards().items() if _belongs(own_file(name), workspace)}


def _belongs(path: Path | None, workspace: Workspace) -> bool:
    return path is None or not KEPT.fullmatch(path.name) or path.parent == workspace.methods


def kept_file(method: str) -> str | None:
    """Name of the kept file that a method comes from; None for one that the program or a package brings."""
    path = own_file(method)
    return path.name if path is not None and KEPT.fullmatch(path.name) else None


def recall(workspace: Workspace, named: Mapping[str, Any]) -> None:
    """Make the method of a run known from its spec.json, where it comes from a kept file.

    Raises UserError where that file is not in this workspace: methods do not travel with archives of runs.
    """
    name = named.get("method_file")
    if name is None:
        return
    if not isinstance(name, str) or not KEPT.fullmatch(name) or not (workspace.methods / name).is_file():
        raise UserError(f"the method {named['spec']['method']} comes from a file that this workspace does not have: train it with --method-file FILE")
    add_file(workspace.methods / name)
