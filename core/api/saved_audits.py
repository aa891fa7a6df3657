"""Audits kept in the workspace: made once, named by their content, reopened by their id."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.api.audits import audit_predictions
from core.audit.input.column_roles import Mapping
from core.audit.options import AuditOptions
from core.audit.output.schema import read_document
from core.audit.result import Audit
from core.errors import UserError
from core.versions import now
from core.workspace import Workspace, read_json, write_json

Progress = Callable[[float, str], None]
"""(share done, what comes next)"""
READING, COMPARING = 0.05, 0.7
"""Share that reading is, and what of the rest is done when several models come to be compared with each other."""
PARTS = ("counts", "tables", "tests", "summaries", "verdicts", "power", "cross_group")


@dataclass(frozen=True)
class SavedAudit:
    """One folder of the workspace's audits: the file, mapping.json, audit.json."""

    folder: Path

    @property
    def audit_id(self) -> str:
        return self.folder.name

    @property
    def about(self) -> dict[str, Any]:
        """name, created, mapping, options."""
        return dict(read_json(self.folder / "mapping.json"))

    @property
    def document(self) -> dict[str, Any]:
        """What `multifair audit --json` prints, of this version or an earlier one."""
        return read_document(self.folder / "audit.json")


def make(workspace: Workspace, file: Path, name: str, mapping: Mapping, options: AuditOptions, progress: Progress | None = None) -> SavedAudit:
    """Audit `file`, which its user calls `name`, and keep it; the same file, mapping and options answer at once.

    `progress` is told the share that is done, from 0 to 1, and what comes next.

    Raises
    ------
    UserError
        For a file or choices that do not fit, naming row or column.
    """
    chosen = {"mapping": mapping.to_dict(), "options": options.to_dict()}
    folder = workspace.audits / _identity(file, chosen)
    if not (folder / "audit.json").exists():
        told = progress or (lambda share, doing: None)
        told(0.0, "reading the file")
        result = audit_predictions(file, columns=mapping, options=options, source=name)
        _compute(result.audit, told)
        folder.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / f"predictions{file.suffix.lower()}")
        write_json(folder / "mapping.json", {"name": name, "created": now().isoformat(timespec="minutes"), **chosen})
        write_json(folder / "audit.json", result.to_dict())
    return SavedAudit(folder)


def _compute(audit: Audit, told: Progress) -> None:
    """Everything that the document holds, in steps that can be told: an audit computes what it is asked for."""
    several = len(audit.models) > 1
    steps = [(f"{model.model}, by {attribute.name}", attribute) for model in audit.models for attribute in model.attributes]
    for done, (doing, attribute) in enumerate(steps):
        told(READING + (1 - READING) * (COMPARING if several else 1.0) * done / len(steps), doing)
        for part in PARTS:
            value = getattr(attribute, part)
            if isinstance(value, Dictionary):
                # A mapping of metrics whose tables are made when they are looked up.
                list(value.values())
        if attribute.options.curves:
            _ = attribute.curves
    if several:
        told(READING + (1 - READING) * COMPARING, "comparing the models")
        _ = audit.comparisons
    told(1.0, "writing the result")


def find(workspace: Workspace, audit_id: str | None) -> SavedAudit | None:
    """The audit of an id from the URL; None when it names none."""
    if not audit_id or not re.fullmatch(r"[0-9a-f]{12}", audit_id):
        return None
    folder = workspace.audits / audit_id
    return SavedAudit(folder) if (folder / "audit.json").is_file() else None


def saved(workspace: Workspace) -> list[SavedAudit]:
    """Every audit, newest first."""
    found = [SavedAudit(path) for path in workspace.audits.iterdir() if (path / "audit.json").is_file()]
    return sorted(found, key=lambda a: (a.folder / "audit.json").stat().st_mtime_ns, reverse=True)


def _identity(file: Path, chosen: Dictionary[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True, ensure_ascii=False).encode())
    try:
        with file.open("rb") as stream:
            while part := stream.read(1 << 20):
                digest.update(part)
    except OSError as error:
        raise UserError(f"{file.name}: cannot be read ({error.strerror}); upload it again") from error
    return digest.hexdigest()[:12]
