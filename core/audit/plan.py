"""What an audit will answer, declared before anybody looks: a dated file whose hash shows that it was not changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core import __version__
from core.audit.json_file import read_json_file
from core.audit.options import AuditOptions, Target
from core.errors import UserError
from core.versions import now

FORM = 1
HASH = "sha256"
MAKE_ONE = "make one with multifair plan-audit"


@dataclass(frozen=True)
class AuditPlan:
    """A declaration.

    attributes, metrics : the questions; all else is exploratory. tolerance, tolerances : the largest acceptable difference, for all
    and for single metrics. threshold or target : the operating point; neither: a threshold of .5. note : in words.
    declared : ISO 8601, UTC. tool : what wrote it.
    """

    attributes: tuple[str, ...]
    metrics: tuple[str, ...]
    tolerance: float
    tolerances: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    target: str | None = None
    note: str = ""
    declared: str = ""
    tool: str = ""

    def __post_init__(self) -> None:
        if not self.attributes:
            raise UserError("a plan declares at least one attribute: --attributes sex,age")
        self.options()

    def options(self) -> AuditOptions:
        """The audit's choices that the plan fixes. Raises UserError for values that no audit takes."""
        return AuditOptions(
            threshold=self.threshold, target=parsed_target(self.target), tolerance=self.tolerance, tolerances=dict(self.tolerances),
            primary_attributes=self.attributes, primary_metrics=self.metrics,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """With its hash, JSON-ready."""
        content = {"form": FORM, **asdict(self), "attributes": list(self.attributes), "metrics": list(self.metrics), "tolerances": dict(self.tolerances)}
        return {**content, HASH: _hash(content)}


def parsed_target(text: str | None) -> Target | None:
    """`sensitivity=.9` as a target."""
    return Target.parse(text) if text else None


def declare(**choices: Any) -> AuditPlan:
    """A plan dated now."""
    return AuditPlan(**choices, declared=now().isoformat(timespec="seconds"), tool=f"multifair {__version__}")


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_plan(path: Path) -> AuditPlan:
    """A plan from its file.

    Raises
    ------
    UserError
        When it cannot be read, is no plan, or was changed after it was written.
    """
    return checked_plan(read_json_file(path, MAKE_ONE), path.name)


def checked_plan(value: Any, source: str) -> AuditPlan:
    """`value` as a plan whose hash fits. Raises UserError, see `read_plan`."""
    names = set(AuditPlan.__dataclass_fields__)
    if not isinstance(value, Mapping) or not names | {"form", HASH} <= set(value):
        raise UserError(f"{source}: this is no plan of an audit; {MAKE_ONE}")
    if value["form"] != FORM:
        raise UserError(f"{source}: the plan has the form {value['form']!r}, this version knows {FORM}; install the one that wrote it")
    if _hash({name: part for name, part in value.items() if name != HASH}) != value[HASH]:
        raise UserError(f"{source}: the plan was changed after it was written: its content does not fit its hash")
    fields: dict[str, Any] = {name: tuple(value[name]) if name in ("attributes", "metrics") else value[name] for name in names}
    return AuditPlan(**fields)
