"""Audits kept in the workspace: made once, named by their content, reopened by their id."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.audit import AuditOptions, Mapping, audit, read_predictions
from core.audit.comparison.compare_models import with_comparisons
from core.errors import UserError
from core.workspace import Workspace, read_json, write_json
from dashboard.uploads import known_as

Progress = Callable[[float, str], None]
COMPARING = 0.7
"""Share of an audit of several models that is done when they are compared with each other."""


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
        """What `multifair audit --json` prints."""
        return dict(read_json(self.folder / "audit.json"))


def make(workspace: Workspace, file: Path, name: str, mapping: Mapping, options: AuditOptions, progress: Progress | None = None) -> SavedAudit:
    """Audit `file` and keep it; the same file, mapping and options answer at once.

    `name` is the file's for its user; `progress` is told the share done and what comes next.

    Raises
    ------
    UserError
        For a file or choices that do not fit, naming row or column.
    """
    chosen = {"mapping": mapping.to_dict(), "options": options.to_dict()}
    folder = workspace.audits / _identity(file, chosen)
    if not (folder / "audit.json").exists():
        told = progress or (lambda share, what: None)
        told(0.0, "reading the file")
        try:
            predictions = read_predictions(file, mapping)
        except UserError as error:
            raise known_as(error, file, name) from error
        several = len(predictions.models) > 1
        found = audit(predictions, options, lambda share, what: told((0.05 + 0.9 * share) * (COMPARING if several else 1), what))
        if several:
            told(COMPARING, "comparing the models")
        result = with_comparisons(found, predictions).to_dict()
        told(1.0, "writing the result")
        folder.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / f"predictions{file.suffix.lower()}")
        write_json(folder / "mapping.json", {"name": name, "created": datetime.now(UTC).isoformat(timespec="minutes"), **chosen})
        write_json(folder / "audit.json", {**result, "source": name})
    return SavedAudit(folder)


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
