"""Whether the small files of a run folder are what they should be; they may have been cut off, or come from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBER = (int, float)
TEXT_OR_NONE = (str, type(None))
NUMBER_OR_NONE = (int, float, type(None))
_SPEC_FILE: Mapping[str, Any] = {"run_id": str, "key": str, "label": str, "family": str, "spec": dict}
_SPEC: Mapping[str, Any] = {
    "cohort_id": str,
    "method": str,
    "settings": dict,
    "attribute": TEXT_OR_NONE,
    "seed": int,
    "preset": TEXT_OR_NONE,
    "network": dict,
    "budget": dict,
}
_STATUS: Mapping[str, Any] = {
    "status": str, "created": NUMBER, "started": NUMBER_OR_NONE, "finished": NUMBER_OR_NONE, "reason": TEXT_OR_NONE, "device": TEXT_OR_NONE,
    "attempt": int, "order": NUMBER, "pid": (int, type(None)), "pid_created": NUMBER_OR_NONE, "progress": dict,
}  # fmt: skip
_PROGRESS: Mapping[str, Any] = {"epoch": (int, type(None)), "epochs": (int, type(None)), "seconds_left": NUMBER_OR_NONE}
LATEST = 4_102_444_800
"""Unix seconds of the year 2100: a later time is a mistake that no calendar could show."""


def checked_spec_file(value: Any) -> dict[str, Any]:
    """`value` if it is the content of a spec.json; ValueError says what is wrong."""
    _fields(value, _SPEC_FILE, "")
    _fields(value["spec"], _SPEC, "spec.")
    for name in ("epochs", "batch_size"):
        number = value["spec"]["budget"].get(name)
        if not _is(number, int) or number < 1:
            raise ValueError(f"has no whole number above 0 as spec.budget.{name}")
    return dict(value)


def checked_status(value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """`value` if it is the content of a status.json; ValueError says what is wrong."""
    _fields(value, _STATUS, "")
    _fields(value["progress"], _PROGRESS, "progress.")
    if value["status"] not in known:
        raise ValueError(f"has an unknown status {value['status'][:40]!r}")
    for name in ("created", "started", "finished"):
        if value[name] is not None and not 0 <= value[name] <= LATEST:
            raise ValueError(f"has no time as {name}")
    if value["status"] == "done" and (value["started"] is None or value["finished"] is None):
        raise ValueError("is done but has not been started and finished")
    return dict(value)


def _fields(value: Any, wanted: Mapping[str, Any], path: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"holds {_word(value)} where an object is wanted{f' as {path[:-1]}' if path else ''}")
    for name, kind in wanted.items():
        if name not in value:
            raise ValueError(f"lacks {path}{name}")
        if not _is(value[name], kind):
            raise ValueError(f"has {_word(value[name])} as {path}{name}")


def _is(value: Any, kind: Any) -> bool:
    # True and False are whole numbers to Python, and to nobody else.
    return isinstance(value, kind) and not isinstance(value, bool)


def _word(value: Any) -> str:
    if value is None:
        return "null"
    words = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return words.get(type(value), type(value).__name__)
