"""The form of a report's JSON: its JSON Schema, with that of the audit inside it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from core.audit.output.schema import VERSION, audit_schema

FORM = 1
"""Of the file's form: raised when a field is renamed, removed or changes its meaning."""
AUDIT = f"urn:multifair:audit:{VERSION}"


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report's JSON, of runs or of an audit; it refers to nothing outside itself."""
    schema = dict(json.loads(files("core.report").joinpath("report.schema.json").read_text(encoding="utf-8")))
    return {**schema, "$defs": {**schema["$defs"], "audit": {**audit_schema(), "$id": AUDIT}}}
