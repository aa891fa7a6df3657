"""Audits kept in the workspace: made once, named by their content, reopened by their id."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core.api.audits import audit_predictions
from core.audit.input.column_roles import Mapping
from core.audit.options import AuditOptions
from core.audit.output.document import Progress
from core.audit.output.schema import checked_document, read_document
from core.errors import UserError, known_as
from core.json_reading import json_value, read_json
from core.report.of_audit import audit_report
from core.versions import now
from core.workspace import Workspace, write_json


@dataclass(frozen=True)
class SavedAudit:
    """One folder of the workspace's audits: the file, mapping.json, audit.json."""

    folder: Path

    @property
    def audit_id(self) -> str:
        return self.folder.name

    @property
    def about(self) -> dict[str, Any]:
        """name, created, mapping, options; of one class against the rest also `classes`, class -> id of its audit.

        What is damaged in it is passed over: the audit itself lies in another file.
        """
        known: dict[str, Any] = {"name": self.audit_id, "created": "", "mapping": {}, "options": {}, "classes": {}}
        try:
            value = read_json(self.folder / "mapping.json")
        except (OSError, ValueError):
            return known
        kept = value if isinstance(value, dict) else {}
        return known | {key: item for key, item in kept.items() if isinstance(item, type(known.get(key, item)))}

    @property
    def document(self) -> dict[str, Any]:
        """What `multifair audit --json` prints, of this version or an earlier one."""
        return read_document(self.folder / "audit.json")


def make(
    workspace: Workspace,
    file: Path,
    name: str,
    mapping: Mapping,
    options: AuditOptions,
    progress: Progress | None = None,
    *,
    view: str = "",
    metadata: tuple[Path, str] | None = None,
) -> SavedAudit:
    """Audit `file`, which its user calls `name`, and keep it; the same file, mapping and options answer at once.

    `progress` is told the share done and what comes next. `view`: what is said behind the name, such as "mel against the rest".
    `metadata`: another file that holds attributes, and the id by which it is joined.

    Raises
    ------
    UserError
        For a file or choices that do not fit, naming row or column.
    """
    chosen = {"mapping": mapping.to_dict(), "options": options.to_dict()}
    other, on = metadata or (None, None)
    folder = workspace.audits / _identity(file, chosen if other is None else {**chosen, "metadata": [_identity(other, {}), on]})
    if not (folder / "audit.json").exists():
        try:
            result = audit_predictions(file, columns=mapping, metadata=other, on=on, options=options, source=name, progress=progress).document
        except UserError as error:
            raise known_as(error, file, name) from error
        folder.mkdir(exist_ok=True)
        if view:
            result["source"] = name = f"{name}: {view}"
        shutil.copyfile(file, folder / f"predictions{file.suffix.lower()}")
        if other is not None:
            shutil.copyfile(other, folder / f"metadata{other.suffix.lower()}")
        write_json(folder / "mapping.json", {"name": name, "created": now().isoformat(timespec="minutes"), **chosen})
        write_json(folder / "audit.json", result)
    return SavedAudit(folder)


def make_classes(
    workspace: Workspace,
    file: Path,
    name: str,
    mappings: Dictionary[str, Mapping],
    options: AuditOptions,
    progress: Progress | None = None,
    *,
    metadata: tuple[Path, str] | None = None,
) -> SavedAudit:
    """`make` for every class (name -> roles), each against the rest; returns the first, and each names the others.

    Raises
    ------
    UserError
        As `make`.
    """
    made: dict[str, SavedAudit] = {}
    for place, (of, mapping) in enumerate(mappings.items()):
        tell = None if progress is None else partial(_part_done, progress, place, len(mappings), of)
        made[of] = make(workspace, file, name, mapping, options, tell, view=f"{of} against all other classes", metadata=metadata)
    for audit in made.values():
        write_json(audit.folder / "mapping.json", {**audit.about, "classes": {of: other.audit_id for of, other in made.items()}})
    return next(iter(made.values()))


def _part_done(progress: Progress, place: int, of: int, name: str, share: float, what: str) -> None:
    progress((place + share) / of, f"{name}: {what}")


def adopt(workspace: Workspace, text: bytes, name: str) -> SavedAudit:
    """Keep the audit of a colleague: what `multifair audit --json` printed, or the JSON of a report. It is data; nothing of it is run.

    Raises
    ------
    UserError
        When the text is neither.
    """
    try:
        value = json_value(text.decode())
    except ValueError as error:
        raise UserError(f"{name}: not JSON ({error}); choose what multifair audit --json printed, or the JSON of a report") from error
    document = checked_document(value, name)
    try:
        audit_report(document)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        # A stranger's file may hold anything: what cannot be shown is refused now, not when it is opened.
        raise UserError(f"{name}: parts of this audit are missing or of another kind ({type(error).__name__}: {error}); ask for the file once more") from error
    folder = workspace.audits / hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    if not (folder / "audit.json").exists():
        folder.mkdir(exist_ok=True)
        columns = {"label": None, "attributes": list(document["attributes"])}
        write_json(folder / "mapping.json", {"name": name, "created": now().isoformat(timespec="minutes"), "mapping": columns, "options": {}, "opened": True})
        write_json(folder / "audit.json", document)
    return SavedAudit(folder)


def find(workspace: Workspace, audit_id: str | None) -> SavedAudit | None:
    """The audit of an id from the URL; None when it names none."""
    if not audit_id or not re.fullmatch(r"[0-9a-f]{12}", audit_id):
        return None
    folder = workspace.audits / audit_id
    return SavedAudit(folder) if (folder / "audit.json").is_file() else None


def saved(workspace: Workspace) -> list[SavedAudit]:
    """Every audit, newest first."""
    found = [SavedAudit(path) for path in workspace.entries(workspace.audits) if (path / "audit.json").is_file()]
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
