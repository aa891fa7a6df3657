"""The methods' files read as text: their cards without importing torch, and what decides a method's numbers."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.methods import card as card_module
from core.methods.card import Card

log = logging.getLogger(__name__)

ENTRY_POINTS = "multifair.methods"
FOLDER = Path(__file__).parent
PACKAGE = "core.methods"
REGISTER = "register"
SHOWN_ONLY = frozenset({"card", "search_space"})
"""Attributes of a method that no training reads."""


_own: dict[str, Path] = {}
"""Users' own files by the name that stands for them here."""


@cache
def cards() -> Mapping[str, Card]:
    """Every method's card by its name, in the order of the names."""
    return _cards(_modules())


def _cards(modules: Sequence[str]) -> Mapping[str, Card]:
    found = {}
    for module in modules:
        for name, call in _registered(module):
            found[name] = eval(compile(ast.Expression(call), str(_path(module)), "eval"), _constants(module) | vars(card_module))
    return dict(sorted(found.items()))


@cache
def source_digest(name: str) -> str:
    """SHA-256 (16 hex digits) of what decides a method's numbers: its file, and what that uses of core/methods.

    Comments, docstrings, cards and search spaces do not count. Raises UserError for an unknown method.
    """
    module = next((m for m in _modules() for known, _ in _registered(m) if known == name), None)
    if module is None:
        raise UserError(f"no method is named {name!r}; known: {', '.join(cards())}")
    digest = hashlib.sha256()
    for used in sorted(_uses(module)):
        # What a user's file is called decides nothing.
        digest.update(f"{'own' if used in _own else used}\n{ast.dump(_Deciding().visit(_parse(used)))}\n".encode())
    return digest.hexdigest()[:16]


def add_file(path: Path) -> tuple[str, ...]:
    """Make the methods of a user's own file known by their names, which are returned; nothing in it is run but its cards.

    A later file takes the place of an earlier one that has a method of the same name. Raises UserError for a file that
    cannot be read, registers nothing, or takes a name of this program's methods.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UserError(f"{path.name}: line {error.lineno}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path.name}: cannot be read as Python ({error})") from None
    names = tuple(name for name, _ in _registered_in(tree))
    if not names:
        raise UserError(f'{path.name}: no method in it: a class under @register whose body sets name = "..." and card = Card(...)')
    shipped = {name for module in _shipped() for name, _ in _registered(module)}
    taken = sorted(shipped & set(names))
    if taken:
        raise UserError(f"{path.name}: {', '.join(taken)} is a method of this program: give yours another name")
    for module in [m for m in _own if {name for name, _ in _registered(m)} & set(names)]:
        del _own[module]
    _own[f"own {path}"] = path
    for cached in (cards, source_digest, _constants):
        cached.cache_clear()
    try:
        _cards((*_shipped(), *_own))
    except (NameError, TypeError, ValueError, AttributeError) as error:
        del _own[f"own {path}"]
        raise UserError(f"{path.name}: its card cannot be read ({error}); a card holds plain values") from None
    return names


def own_file(name: str) -> Path | None:
    """The user's file that the method comes from; None for a method of this program."""
    return next((path for module, path in _own.items() for known, _ in _registered(module) if known == name), None)


def _shipped() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def _modules() -> list[str]:
    _add_installed()
    return [*_shipped(), *_own]


@cache
def _add_installed() -> None:
    """Make known what installed packages offer under the entry point `multifair.methods`.

    An entry point names a module (`my-method = "my_package.my_method"`), which is read here and not imported.
    One that cannot be read is passed over with a warning: it must not take the other methods away.
    """
    for point in entry_points(group=ENTRY_POINTS):
        try:
            spec = importlib.util.find_spec(point.module)
            if spec is None or spec.origin is None:
                raise UserError(f"the module {point.module} was not found")
            add_file(Path(spec.origin))
        except (UserError, ImportError, ValueError) as error:
            log.warning("The method %s of an installed package is left out: %s", point.name, error)


def _path(module: str) -> Path:
    return _own.get(module, FOLDER / f"{module}.py")


def _parse(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


def _registered(module: str) -> Iterator[tuple[str, ast.Call]]:
    """Name and card expression of each method that the module registers."""
    return _registered_in(_parse(module))


def _registered_in(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in tree.body:
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
