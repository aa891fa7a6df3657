"""Versions of the tool and of what it computes with, and the one clock that dated files use."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from core.errors import UserError

EPOCH_VARIABLE = "SOURCE_DATE_EPOCH"


def package_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Installed version by package; None where it is not installed."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def now() -> datetime:
    """The time to write into a file, in UTC: of $SOURCE_DATE_EPOCH (seconds since 1970) where it is set, so that files can be made again byte by byte.

    Raises
    ------
    UserError
        When the variable is set and is no such number.
    """
    stated = os.environ.get(EPOCH_VARIABLE)
    if not stated:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(stated), UTC)
    except (ValueError, OverflowError, OSError):
        raise UserError(f"${EPOCH_VARIABLE} is '{stated}'; it must be whole seconds since 1970, or not set") from None
