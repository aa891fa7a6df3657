"""The form of an audit's document: its JSON Schema, and documents of any version read from outside."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from core.audit.json_file import read_json_file
from core.errors import UserError

VERSION = 2
"""Of the document's form: raised when a field is renamed, removed or changes its meaning."""
MAKE_ONE = "make one with multifair audit ... --json"


def audit_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document of `VERSION`, as shipped with the package."""
    return dict(json.loads(files("core.audit.output").joinpath("audit.schema.json").read_text(encoding="utf-8")))


def read_document(path: Path) -> dict[str, Any]:
    """An audit's document from a file, of this version or an earlier one.

    Raises
    ------
    UserError
        For a file that cannot be read, is no JSON, is no audit, or was made by a later version.
    """
    return checked_document(read_json_file(path, f"{MAKE_ONE} > {path.name}"), path.name)


def checked_document(value: Any, source: str) -> dict[str, Any]:
    """`value` when it is an audit's document that this version can show; of a report's JSON, the audit in it.

    Documents from before there was a version lack `version`, `provenance` and each attribute's `bands`; readers take them as unknown.

    Raises
    ------
    UserError
        When it is none, or of a later version.
    """
    if isinstance(value, dict) and isinstance(value.get("data"), dict) and "sections" in value:
        value = value["data"].get("audit")
    if not isinstance(value, dict) or not isinstance(value.get("overall"), dict) or not isinstance(value.get("attributes"), dict):
        raise UserError(f"{source}: this file is not an audit: it has no 'overall' and 'attributes'; {MAKE_ONE}")
    version = value.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise UserError(f"{source}: the audit's version is {version!r}, which is none; {MAKE_ONE}")
    if version > VERSION:
        raise UserError(
            f"{source}: the audit was made by a later version of multifair (form {version}, this one knows {VERSION}); install that, or make the audit again"
        )
    return value
