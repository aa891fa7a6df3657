"""Thirty hospitals: a forest of the worst and the best, colours that stand for one group each, and a search."""

from __future__ import annotations

from typing import Any

import pandas as pd

from core.charts import groups
from core.charts.audit_forest import metric_forest
from core.charts.figure import Figure
from core.charts.gradient_factors import applied, dash_key, extremes
from core.charts.many_groups import MOST_COLOURS, MOST_ROWS, drawn_groups, ranking, said
from core.charts.theme import LIGHT

HOSPITALS = tuple(f"hospital {number:02}" for number in range(30))
AUC = {name: 0.6 + 0.3 * ((7 * place) % 30) / 30 for place, name in enumerate(HOSPITALS)}


def _frame() -> pd.DataFrame:
    rows = [
        {"run_id": "a", "group": name, "value": auc, "low": auc - 0.05, "high": auc + 0.05, "n_pos": 20, "n_neg": 30, "reason": None}
        for name, auc in (*AUC.items(), (None, 0.75))
    ]
    return pd.DataFrame(rows)


def _drawn(figure: Figure) -> dict[str, Any]:
    """What is drawn, without its description for those who cannot see it, which names all groups, and without the palette."""
    spec: dict[str, Any] = figure.chart(LIGHT).to_dict()
    return {name: part for name, part in spec.items() if name not in ("description", "config")}


def test_few_groups_are_all_drawn_and_of_many_the_worst_and_the_best() -> None:
    assert drawn_groups(HOSPITALS[:8], AUC, MOST_COLOURS) == HOSPITALS[:8]
    ranked = sorted(AUC, key=AUC.__getitem__)
    found = drawn_groups(HOSPITALS, AUC, MOST_COLOURS)
    assert set(found) == {*ranked[:4], *ranked[-4:]}
    assert list(found) == sorted(found), "in their own order, whatever their rank"
    middle = ranked[15]
    assert set(drawn_groups(HOSPITALS, AUC, MOST_ROWS, [middle])) == {*ranked[:10], *ranked[-10:], middle}


def test_groups_without_an_estimate_fill_what_is_left() -> None:
    known = {name: AUC[name] for name in HOSPITALS[:3]}
    found = drawn_groups(HOSPITALS, known, 8)
    assert len(found) == 8 and set(HOSPITALS[:3]) <= set(found)
    assert ranking(_frame()) == AUC


def test_a_forest_of_thirty_groups_is_read_without_scrolling_far() -> None:
    figure = groups.forest(_frame(), {"a": "ERM"}, HOSPITALS, "hospital")
    spec = _drawn(figure)
    assert spec["height"] <= 42 * (MOST_ROWS + 1)
    assert len(figure.data) == len(HOSPITALS) + 1, "the table has all"
    assert said(20, 30) and said(20, 30) in figure.note and not said(30, 30)
    ranked = sorted(AUC, key=AUC.__getitem__)
    searched = groups.forest(_frame(), {"a": "ERM"}, HOSPITALS, "hospital", searched=[ranked[15]])
    assert ranked[15] in str(_drawn(searched)) and ranked[15] not in str(spec)
    assert not any(color in str(spec) for color in LIGHT.groups), "eight colours would each stand for several of thirty groups"


def test_so_is_that_of_an_audit() -> None:
    table = _frame().dropna(subset=["group"]).assign(model="m", estimable=True)
    everybody = pd.DataFrame({"model": ["m"], "value": [0.75]})
    figure = metric_forest(table, everybody, "hospital", "auc")
    ranked = sorted(AUC, key=AUC.__getitem__)
    spec = str(_drawn(figure))
    assert ranked[0] in spec and ranked[-1] in spec and ranked[15] not in spec
    assert len(figure.data) == len(HOSPITALS)
    assert ranked[15] in str(_drawn(metric_forest(table, everybody, "hospital", "auc", [ranked[15]])))


def test_factors_of_twelve_groups_are_those_of_the_lowest_and_the_highest() -> None:
    """Twelve names of dashes were one line, which took the whole width of two columns from their plots."""
    rows = [
        {"name": "method.factor", "group": group, "modality": modality, "value": AUC[group], "trained": 1}
        for group in HOSPITALS[:12]
        for modality in ("image", "clinical")
    ]
    part, said_of = extremes(applied([*rows, {"name": "method.gate", "group": None, "modality": None, "value": 1.0, "trained": 1}]))
    ranked = sorted(HOSPITALS[:12], key=AUC.__getitem__)
    assert {row["group"] for row in part} == {None, ranked[0], ranked[-1]}
    assert said_of == ", lowest and highest of 12 groups"
    assert len(dash_key(part)) <= 58, "a longer one is cut at the end of its line"
    few = applied(rows[:4])
    assert extremes(few) == (few, "")
