"""A method's file is the only place that knows its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.methods import names

ROOT = Path(__file__).parents[2]
FILES = sorted(p for room in ("core", "dashboard", "pages") for p in (ROOT / room).rglob("*.py") if p.parent != ROOT / "core" / "methods")
NOT_A_METHOD = {
    # `unimodal` is also the field's word for what one modality says: a kind of score in predictions and charts, and a term.
    ("core/store/scores.py", "unimodal"),
    ("core/charts/glossary.py", "unimodal"),
    ("core/charts/modality_auc.py", "unimodal"),
    ("core/report/of_runs.py", "unimodal"),
    ("core/results/answers.py", "unimodal"),
    ("core/results/sample_contributions.py", "unimodal"),
    ("core/results/setting_titles.py", "unimodal"),  # the setting that weighs those classifiers
    ("dashboard/answers.py", "unimodal"),
    ("pages/modalities.py", "unimodal"),
}
BENCHMARKED = {
    # A benchmark is the runs that it names: methods that join later must not change what is measured.
    ("core/study/sweep_speed.py", name)
    for name in ("erm", "g-blending", "group-dro", "joint", "ogm-ge", "opm", "pmr", "reweighing", "swa")
}
PROGRAM = "multifair"
"""Also the name of this program, which every command's help says."""


def named(path: Path) -> Iterator[str]:
    """Method names that stand as a whole string in the file's code."""
    known = set(names())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known - {PROGRAM}:
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_names_a_method(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    found = {name for name in named(path) if (place, name) not in NOT_A_METHOD | BENCHMARKED}
    assert not found, f"{place} names {', '.join(sorted(found))}: read the card (order, colour, default, role) or `Method.variants`"
