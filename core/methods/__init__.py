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
    return tuple(sorted(REGISTRY))
