"""Methods from users' own files: loaded when first asked for, and anew when another file has taken the name."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from core.errors import UserError
from core.methods.source import own_file

_loaded: dict[str, Path] = {}
"""Method -> the file from which its class was loaded."""
BROKEN = (ImportError, NameError, TypeError, ValueError, AttributeError, LookupError, RuntimeError, SyntaxError, OSError)


def load_own(name: str) -> None:
    """Run the user's file behind `name`, where there is one that has not been run; UserError when that fails."""
    from core.methods.base import REGISTRY

    path = own_file(name)
    if path is None or _loaded.get(name) == path:
        return
    REGISTRY.pop(name, None)
    spec = importlib.util.spec_from_file_location(f"multifair_own_{path.stem.replace('-', '_')}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BROKEN as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        raise UserError(f"{path.name}: {where}{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from None
    if name not in REGISTRY:
        raise UserError(f"{path.name}: {name} was not registered when the file was run")
    _loaded[name] = path
