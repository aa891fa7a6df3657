"""One file per training method, registered by name.

Every module in this package is imported when a method is first asked for, so a new method
needs only its file, and what only reads cards (`core.methods.source`) never imports torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from core.errors import UserError

if TYPE_CHECKING:
    from core.methods.base import Method


def get(name: str) -> type[Method]:
    """The method registered as `name`; UserError lists the known names."""
    from core.methods.own import load_own

    known = _registry()
    load_own(name)
    if name not in known:
        raise UserError(f"no method is named {name!r}; known: {', '.join(sorted(known))}")
    return known[name]


def names() -> tuple[str, ...]:
    """All registered methods, by name."""
    return tuple(sorted(_registry()))


def ordered() -> tuple[str, ...]:
    """All registered methods in the order of their cards."""
    from core.methods.source import cards

    return tuple(sorted(cards(), key=lambda name: (cards()[name].order, name)))


def reference() -> str:
    """The method that others are compared with."""
    return _with_role("reference")


def ours() -> str:
    """The method of this project."""
    return _with_role("ours")


def first_choice() -> tuple[str, ...]:
    """The methods that are chosen before anybody has chosen, in the order of their cards."""
    from core.methods.source import cards

    return tuple(name for name in ordered() if cards()[name].default)


def of_one_modality() -> frozenset[str]:
    """The methods that train one modality alone, and so fuse nothing."""
    from core.methods.source import cards

    return frozenset(name for name, card in cards().items() if card.one_modality)


def _with_role(role: str) -> str:
    from core.methods.source import cards

    return next(name for name in ordered() if cards()[name].role == role)


def _registry() -> dict[str, type[Method]]:
    from core.methods.base import REGISTRY

    _import_all()
    return REGISTRY


@cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
