"""Methods from users' own files in a workspace: a copy is kept, so that a run can be made again after the file has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.methods.source import add_file, own_file
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
