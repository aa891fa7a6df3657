"""The text of users' own encoders, which decides a run's numbers as its settings do. Free of torch."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from core.models.spec import OWN_CLASS, EncoderChoice


def own_encoders_digest(encoders: Mapping[str, str]) -> str:
    """SHA-256 (16 hex digits) of the files behind `class:module:Class` encoders; empty where there are none.

    Raises UserError for a module that cannot be found or read.
    """
    choices = [EncoderChoice.parse(str(text)) for text in encoders.values()]
    modules = sorted({str(choice.source).partition(":")[0] for choice in choices if choice.name == OWN_CLASS})
    if not modules:
        return ""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(f"{module}\n{_text(module)}\n".encode())
    return digest.hexdigest()[:16]


def _text(module: str) -> str:
    try:
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None or not found.origin.endswith(".py"):
            raise UserError(f"the module {module} of an encoder class was not found; install it or put its folder on PYTHONPATH")
        return ast.dump(ast.parse(Path(found.origin).read_text(encoding="utf-8")))
    except (ImportError, SyntaxError, OSError, ValueError) as error:
        raise UserError(f"the module {module} of an encoder class cannot be read ({error})") from None
