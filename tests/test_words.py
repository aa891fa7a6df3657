"""What users read holds none of the words that CONTRIBUTING.md refuses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("core", "dashboard", "pages")
REFUSED = re.compile(
    r"\bshall\b|gradients? fight|handed on\b|\bthere already\b|for want of|at their word|'s business\b|\bon both counts\b|random deals?\b|cannot be told"
    r"|\bmend(ed|s)?\b|\bproven\b|\b(are|is) no (numbers?|probabilit|patients|increasing|attribute of|group of|texts?\b)"
    r"|\bhave no (sex|age|race)\b|\bless (the )?model\b"
    r"|\b(is|are) no (lists?|questions?|values? for|pictures?|file name|readable|run that|single)\b|\bput (them|groups?( of \S+)?) together\b|\bput back an\b"
    r"|\bcannot be had\b|\bacid test\b|\bwithout a word\b|\bdwarfs?\b|\bgives? (the )?\w+ away\b|\bbe made out\b|\bto themselves\b|\brightly left\b"
    r"|\bthe hiding\b|\bspeaks? of new\b|\bNothing odd\b|\bhave settled\b|\ball that are done\b|\bWhat runs goes on\b",
    re.IGNORECASE,
)


def said(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring or note on a constant."""
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.lineno, node.value


def refused(source: str) -> list[str]:
    return [f"{line}: {text}" for line, text in said(ast.parse(source)) if REFUSED.search(text)]


def test_no_text_holds_a_refused_word() -> None:
    found = [f"{file.relative_to(ROOT)}:{text}" for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")) for text in refused(file.read_text("utf-8"))]
    assert not found, "\n".join(found)


def test_refused_words_are_found_where_they_are_said() -> None:
    assert refused('"""A docstring shall pass."""\nA = 1\n"""So shall a note."""\nprint(f"What shall be {A}")\n') == ["4: What shall be "]
    assert refused('print("An array of shape (2, 2) is no picture")') and refused('print("put groups of sex together")')
    assert refused('print("No disparity is proven", "the groups are no numbers", "sex is recorded")') != []
