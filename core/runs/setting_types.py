"""Whether a setting's value is of the kind that its field asks for, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from core.errors import UserError
from core.methods import get
from core.models.spec import NetworkSpec
from core.training.spec import Budget, TelemetrySpec

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}


def check_kinds(method: str, settings: Mapping[str, Any]) -> None:
    """UserError names the first value of the wrong kind. Unknown names are not looked at."""
    hints: dict[str, Any] = {}
    for name, owner in (("telemetry", TelemetrySpec), ("network", NetworkSpec), ("budget", Budget), ("", get(method).Settings)):
        own = get_type_hints(owner)
        hints |= own | {f"{name}.{key}": hint for key, hint in own.items() if name}
    for key, value in settings.items():
        hint = hints.get(key)
        if hint is not None and not fits(value, hint):
            raise UserError(f"setting {key} is {describe(hint)}, not {value!r}")


def fits(value: Any, hint: Any) -> bool:
    """Whether `value` may stand in a field annotated `hint`; kinds not listed here always may."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in _WORDS else True


def describe(hint: Any) -> str:
    """`a number or null`, `'none' or 'flip'`."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(describe(part) for part in get_args(hint))
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    return _WORDS.get(hint, str(hint))
