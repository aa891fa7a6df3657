"""No circle of files, and the pages' place above all rooms; the rooms' own order is `lint-imports`' business.

An import counts wherever it stands, in a function too. What only a type checker reads (`if TYPE_CHECKING`) is not run and does not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "dashboard", "pages")
BELOW_PAGES = {"api", "audit", "charts", "cohort", "errors", "metrics", "report", "results", "runs"}
"""Rooms of core that a page may ask; training, stores, tables and folders are reached through these or through dashboard/."""


def names(room: Path, root: Path) -> dict[str, Path]:
    found = {}
    for path in room.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(text: str, known: Iterable[str]) -> set[str]:
    """The modules of `known` that run when the text and its functions do."""
    modules, tree = set(known), ast.parse(text)
    typed = {id(n) for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) for n in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {path if path in modules else str(node.module) for path in inside.values()}
    return found & modules


def circle(imports: Mapping[str, set[str]]) -> list[str]:
    """One circle of modules, from a module to itself; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    files = {name: path for room in ROOMS for name, path in names(ROOT / room, ROOT).items()}
    return {name: imported(path.read_text(encoding="utf-8"), files) - {name} for name, path in files.items()}


def test_no_circle_of_files(graph: dict[str, set[str]]) -> None:
    assert len(graph) > 400 and graph["core.audit.engine"] >= {"core.audit.result"}
    assert circle(graph) == []


def test_a_circle_through_a_function_is_found() -> None:
    texts = {"a": "import b", "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", "c": "import a"}
    assert circle({name: imported(text, texts) for name, text in texts.items()}) == []
    texts["b"] = "def f():\n    from a import x"
    assert set(circle({name: imported(text, texts) for name, text in texts.items()})) == {"a", "b"}


def test_pages_stand_above_the_dashboard(graph: dict[str, set[str]]) -> None:
    pages = {name for name in graph if name.startswith("pages.")}
    assert len(pages) >= 9
    assert {name: down & pages for name, down in graph.items() if down & pages} == {}, "nothing knows a page, other pages neither"
    asked = {name.split(".")[1] for page in pages for name in graph[page] if name.startswith("core.")}
    assert asked <= BELOW_PAGES
