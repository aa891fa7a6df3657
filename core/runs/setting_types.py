"""Settings as text, and whether a value is of the kind that its field asks for, before anything is trained."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from core.errors import UserError
from core.methods import get
from core.models.spec import NetworkSpec
from core.training.spec import Budget, TelemetrySpec

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}


def parse_settings(lines: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`key=value` texts as settings; a value is read as JSON (numbers, true, null) and else taken as text.

    `lines` : (what a message calls the line, its text). Raises UserError for a text that is
    no `key=value`, a key that comes twice, and NaN or infinity, which are no settings.
    """
    settings: dict[str, Any] = {}
    for where, text in lines:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or not value:
            raise UserError(f"{where}: write key = value, for example lr = 0.0005")
        if key in settings:
            raise UserError(f"{where}: {key} is given twice")
        try:
            settings[key] = json.loads(value, parse_constant=partial(_refuse, where))
        except (json.JSONDecodeError, RecursionError):
            settings[key] = value
        if isinstance(settings[key], float) and not math.isfinite(settings[key]):
            _refuse(where, value)
    return settings


def _refuse(where: str, word: str) -> Any:
    raise UserError(f"{where}: {word} is not a value for a setting; give a number")


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
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
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
