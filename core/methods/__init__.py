"""One file per training method, registered by name.

Importing this package imports every module in it, so a new method needs only its file.
"""

from __future__ import annotations

import importlib
import pkgutil

from core.errors import UserError
from core.methods.base import REGISTRY, Method

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def get(name: str) -> type[Method]:
    """The method registered as `name`; UserError lists the known names."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UserError(f"no method is named {name!r}; known: {', '.join(sorted(REGISTRY))}") from None


def names() -> tuple[str, ...]:
    """All registered methods, by name."""
    return tuple(sorted(REGISTRY))


def ordered() -> tuple[str, ...]:
    """All registered methods in the order of their cards."""
    return tuple(sorted(REGISTRY, key=lambda name: (REGISTRY[name].card.order, name)))


def reference() -> str:
    """The method that others are compared with."""
    return next(name for name in ordered() if REGISTRY[name].card.role == "reference")


def ours() -> str:
    """This project's own method."""
    return next(name for name in ordered() if REGISTRY[name].card.role == "ours")
