"""The methods' files read as text: their cards without importing torch, and what decides a method's numbers."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.methods import card as card_module
from core.methods.card import Card

FOLDER = Path(__file__).parent
PACKAGE = "core.methods"
REGISTER = "register"
SHOWN_ONLY = frozenset({"card", "search_space"})
"""Attributes of a method that no training reads."""


@cache
def cards() -> Mapping[str, Card]:
    """Every method's card by its name, in the order of the names."""
    found = {}
    for module in sorted(path.stem for path in FOLDER.glob("*.py")):
        for name, call in _registered(module):
            found[name] = eval(compile(ast.Expression(call), str(FOLDER / f"{module}.py"), "eval"), _constants(module) | vars(card_module))
    return dict(sorted(found.items()))


@cache
def source_digest(name: str) -> str:
    """SHA-256 (16 hex digits) of what decides a method's numbers: its file, and what that uses of core/methods.

    Comments, docstrings, cards and search spaces do not count. Raises UserError for an unknown method.
    """
    module = next((m for m in sorted(path.stem for path in FOLDER.glob("*.py")) for known, _ in _registered(m) if known == name), None)
    if module is None:
        raise UserError(f"no method is named {name!r}; known: {', '.join(cards())}")
    digest = hashlib.sha256()
    for used in sorted(_uses(module)):
        digest.update(f"{used}\n{ast.dump(_Deciding().visit(_parse(used)))}\n".encode())
    return digest.hexdigest()[:16]


def _parse(module: str) -> ast.Module:
    return ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))


def _registered(module: str) -> Iterator[tuple[str, ast.Call]]:
    """Name and card expression of each method that the module registers."""
    for node in _parse(module).body:
        if isinstance(node, ast.ClassDef) and any(isinstance(d, ast.Name) and d.id == REGISTER for d in node.decorator_list):
            values = {target.id: item.value for item in node.body if isinstance(item, ast.Assign) for target in item.targets if isinstance(target, ast.Name)}
            name, card = values.get("name"), values.get("card")
            if isinstance(name, ast.Constant) and isinstance(card, ast.Call):
                yield str(name.value), card


@cache
def _constants(module: str) -> dict[str, Any]:
    """Module-level names with a plain value, the module's own and those that it takes from other methods' files."""
    values: dict[str, Any] = {}
    for node in _parse(module).body:
        if isinstance(node, ast.ImportFrom) and _sibling(node) is not None:
            theirs = _constants(str(_sibling(node)))
            values |= {alias.asname or alias.name: theirs[alias.name] for alias in node.names if alias.name in theirs}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                values[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return values


def _sibling(node: ast.ImportFrom) -> str | None:
    """The file of core/methods that the import names."""
    package, _, module = (node.module or "").rpartition(".")
    return module if package == PACKAGE and (FOLDER / f"{module}.py").is_file() else None


def _uses(module: str) -> set[str]:
    """The module and every file of core/methods that it needs, directly or not."""
    found: set[str] = set()
    pending = [module]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += [name for node in ast.walk(_parse(current)) if isinstance(node, ast.ImportFrom) and (name := _sibling(node)) is not None]
    return found - {"card"}


class _Deciding(ast.NodeTransformer):
    """Takes away what no number depends on."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A text that stands alone is a docstring, of what is above it too.
            body[:] = [item for item in body if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)) and not _shown_only(item)]
        return super().generic_visit(node)


def _shown_only(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in SHOWN_ONLY for target in targets)
