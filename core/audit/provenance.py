"""What an audit rests on and how to make it again, as one value: input, choices, versions, command, date."""

from __future__ import annotations

import csv
import io
import platform
import shlex
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from core import __version__
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.input.column_roles import Mapping
from core.audit.input.origin import Origin, origin_dict
from core.audit.options import AuditOptions
from core.versions import now, package_versions

if TYPE_CHECKING:
    from core.audit.result import Audit

PACKAGES = ("numpy", "scipy", "pandas", "pyarrow")
"""Libraries whose version can move a number of an audit."""


@dataclass(frozen=True)
class Provenance:
    """Enough to make an audit again.

    origin : files, columns, rows read and left out, runs. rows_audited : rows that the numbers rest on.
    models : names, each with a score. operating_points : of each model, and where it was chosen.
    options : every choice; seed is theirs. tool, python, packages, platform : what computed.
    command : what makes it again from the file, None where there is no file. date : ISO 8601, UTC.
    """

    origin: Origin
    rows_audited: int
    models: tuple[str, ...]
    operating_points: Dictionary[str, OperatingPoint]
    options: AuditOptions
    tool: str
    python: str
    packages: Dictionary[str, str | None]
    platform: str
    command: str | None
    date: str

    @property
    def seed(self) -> int:
        return self.options.seed

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the options and full operating points stand elsewhere in the audit's document."""
        columns = self.origin.columns
        points = {
            name: {
                "threshold": point.threshold,
                "chosen_on": point.source,
                "target": None if self.options.target is None else str(self.options.target),
                "reason": point.reason,
            }
            for name, point in self.operating_points.items()
        }
        return {
            **origin_dict(self.origin),
            "label": None if columns is None else columns.label,
            "rows_audited": self.rows_audited,
            "models": list(self.models),
            "operating_points": points,
            "options": self.options.to_dict(),
            "seed": self.seed,
            "tool": self.tool,
            "python": self.python,
            "packages": dict(self.packages),
            "platform": self.platform,
            "command": self.command,
            "date": self.date,
        }


def provenance(audit: Audit) -> Provenance:
    """The provenance of an audit, dated now (see `core.versions.now`)."""
    origin = audit.origin
    return Provenance(
        origin=origin,
        rows_audited=audit.n * origin.rows_per_sample,
        models=tuple(model.model for model in audit.models),
        operating_points={model.model: model.point for model in audit.models},
        options=audit.options,
        tool=f"multifair {__version__}",
        python=platform.python_version(),
        packages=package_versions(PACKAGES),
        platform=platform.platform(),
        command=audit_command(origin, audit.options),
        date=now().isoformat(timespec="seconds"),
    )


def audit_command(origin: Origin, options: AuditOptions) -> str | None:
    """The command line that makes the audit again, quoted for a shell; None when the predictions are not from a file."""
    if origin.columns is None or not origin.files:
        return None
    first, *others = (file.name for file in origin.files)
    words = ["multifair", "audit", f"./{first}" if first.startswith("-") else first, *_role_flags(origin.columns)]
    if others:
        words += [f"--metadata={others[0]}", f"--on={origin.join}"]
    return shlex.join([*words, *_option_flags(options)])


def _role_flags(columns: Mapping) -> list[str]:
    """A flag for each role that is not at its default; flags are named as the roles are."""
    flags = []
    for field in fields(columns):
        value = getattr(columns, field.name)
        if field.name == "merge":
            flags += [_flag("merge", text) for text in value]
        elif value != field.default and value not in (None, ()):
            flags.append(_flag(field.name, _listed(value) if isinstance(value, tuple) else value))
    return flags


def _option_flags(options: AuditOptions) -> list[str]:
    usual = AuditOptions()
    special = {"tolerances", "bands", "reference", "target", "tolerance"}
    flags = [_flag("target", f"{options.target.kind}" + ("" if options.target.value is None else f"={options.target.value!r}"))] if options.target else []
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in special or value == getattr(usual, field.name):
            continue
        flags.append(_flag(field.name, None if value is True else _listed(value) if isinstance(value, tuple) else value))
    limits = ([repr(options.tolerance)] if options.tolerance != usual.tolerance else []) + [
        f"{metric}={value!r}" for metric, value in options.tolerances.items()
    ]
    flags += [_flag("tolerance", ",".join(limits))] if limits else []
    flags += [
        _flag("bins", f"{name}=" + ",".join(str(int(edge)) if edge == int(edge) else repr(edge) for edge in edges)) for name, edges in options.bands.items()
    ]
    return flags + [_flag("reference", f"{name}={group}") for name, group in options.reference.items()]


def _flag(name: str, value: Any) -> str:
    flag = f"--{name.replace('_', '-')}"
    return flag if value is None else f"{flag}={value}"


def _listed(values: tuple[str, ...]) -> str:
    """Names separated by commas, quoted as in a CSV file where they hold commas themselves."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
