"""Pairs of gradients for two to six modalities and groups: all drawn, the lowest named, no warning."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pandas as pd
import pytest
import vl_convert

from core.charts import gradients
from core.charts.gradient_factors import applied
from core.charts.gradient_lines import NAMED, names_at_ends, pairs_of, rows_of
from core.charts.gradient_pairs import group_magnitudes
from core.charts.gradient_strips import ticks
from core.charts.theme import LIGHT, styled

NAMES = {"run-a": "ERM (fused)"}
LAST = 3


def _rows(modalities: int, groups: int, negative: float = 0.4) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Telemetry of one run: the first modality conflicts in a share `negative` of steps, the others in half as many."""
    ms, gs = [f"m{i}" for i in range(modalities)], [f"g{i}" for i in range(groups)]
    rows = []
    for epoch in range(LAST):
        head = {"run_id": "run-a", "epoch": epoch}
        for i, m in enumerate(ms):
            rows += [
                {**head, "name": "conflict.fused", "modality": m, "stat": stat, "value": value}
                for stat, value in (("mean", 0.2), ("p10", -0.1), ("share_negative", negative if i == 0 else negative / 2))
            ]
            rows.append({**head, "name": "effect.relative_update", "modality": m, "stat": "mean", "value": 0.001})
            rows.append({**head, "name": "method.factor", "modality": m, "stat": "mean", "value": 1.0})
            rows += [{**head, "name": "conflict.group_modality", "modality": m, "group": g, "stat": "mean", "value": 0.1} for g in gs]
        for name, members, kind in (("conflict.modalities", ms, "modality"), ("conflict.groups", gs, "group"), ("magnitude.groups", gs, "group")):
            for k, (a, b) in enumerate(itertools.combinations(members, 2)):
                rows.append({**head, "name": name, kind: a, f"{kind}_b": b, "stat": "mean", "value": 0.9 - 0.05 * k})
        rows.append({**head, "name": "method.group_auc", "group": gs[0], "stat": "mean", "value": 0.7})
    columns = ["run_id", "epoch", "name", "modality", "modality_b", "group", "group_b", "stat", "value"]
    return pd.DataFrame(rows).reindex(columns=columns), ms, gs


@pytest.mark.parametrize(("modalities", "groups"), [(2, 6), (3, 2), (4, 4), (6, 3)])
def test_every_pair_is_drawn_and_one_brush_goes_through_all_strips(modalities: int, groups: int) -> None:
    frame, ms, gs = _rows(modalities, groups)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = gradients.conflict(frame, NAMES, ms, gs, (1, LAST))
        spec = styled(figure.panels[0].live(LIGHT, "container"), LIGHT).to_dict()  # type: ignore[misc]
        figure.chart(LIGHT).to_dict()
    assert figure.title == f"Epochs 1 to {LAST}: M0 is against the fused gradient in 40% of steps (mean cosine +.20) under ERM (fused)"
    [brush] = spec["params"]
    assert brush["views"] == [spec["layer"][0]["name"]]
    assert "<path" in vl_convert.vegalite_to_svg(spec)
    everything = [row for rows in spec["datasets"].values() for row in rows]
    drawn = {row["of"] for row in everything if "thick" in row}
    assert drawn >= {" / ".join(pair) for members in (ms, gs) for pair in itertools.combinations(members, 2)}
    said = [row["label"] for row in everything if "font" in row and row.get("label", "").startswith("g") and " / " in row["label"]]
    pairs = groups * (groups - 1) // 2
    assert len(said) == (1 if pairs > NAMED else pairs)
    assert said[0] == f"{gs[-2]} / {gs[-1]}" or pairs <= NAMED


def _marks(spec: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows if field in row]


def test_strips_of_two_runs_stand_at_the_same_height() -> None:
    """Also where one run has fewer strips filled, other factors, or no fused gradient."""
    frame, ms, gs = _rows(3, 2)
    other = frame[~frame["name"].isin(["method.factor", "conflict.groups"])].assign(run_id="run-b")
    other.loc[other["name"] == "conflict.fused", "value"] = None
    figure = gradients.conflict(pd.concat([frame, other]), {**NAMES, "run-b": "Other"}, ms, gs, (1, LAST))
    first, second = (styled(panel.draw(LIGHT, 300), LIGHT).to_dict() for panel in figure.panels)
    assert first["height"] == second["height"]
    headings = [[(row["y"], row["words"]) for row in _marks(spec, "words") if row["font"] == 12 and row["words"][0].isupper()] for spec in (first, second)]
    assert headings[0] == headings[1] and len(headings[0]) == 6
    said = {row["words"] for row in _marks(second, "words")}
    assert {"this method applies no factor", "this method trains with no fused gradient", "not measured in this method's training"} <= said


def test_a_value_is_drawn_between_the_values_written_beside_it() -> None:
    """The vertical scale is in pixels: a mean cosine of .2 stands where the first strip writes .20."""
    frame, ms, gs = _rows(2, 2)
    spec = styled(gradients.conflict(frame, NAMES, ms, gs, (1, LAST)).panels[0].draw(LIGHT, 300), LIGHT).to_dict()
    height = next(row["value"] for row in _marks(spec, "thick") if row["what"] == "Mean cosine" and row["of"] == "m0")
    written = next(row["y"] + 1 for row in _marks(spec, "words") if row["words"] == ".20")
    assert height == pytest.approx(written, abs=0.1)


@pytest.mark.parametrize(("limits", "expected"), [([-0.5, 0.5], [-0.5, 0.0, 0.5]), ([0.0, 0.0045], [0.0, 0.002, 0.004]), ([-0.25, 0.5], [-0.2, 0.0, 0.2, 0.4])])
def test_ticks_are_few_and_round(limits: list[float], expected: list[float]) -> None:
    assert ticks(limits) == pytest.approx(expected)


def test_names_at_ends_stay_apart_and_inside() -> None:
    points = [
        {"label": name, "trained": 3, "value": value, "ink": "#000000"} for name, value in (("a", 0.9), ("b", 0.91), ("c", 0.0), ("unknown", float("nan")))
    ]
    placed = {row["label"]: row["value"] for row in names_at_ends(points, (0.0, 1.0), 90, LIGHT, 12)}
    assert set(placed) == {"a", "b", "c"}
    assert placed["b"] - placed["a"] == pytest.approx(15 / 90) and max(placed.values()) <= 1


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_the_title_names_the_least_alike_groups(groups: int) -> None:
    frame, _, gs = _rows(3, groups)
    figure = group_magnitudes(gradients.prepared(frame, NAMES), NAMES, "site")
    lowest = 0.9 - 0.05 * (groups * (groups - 1) // 2 - 1)
    assert f"{gs[-2]} and {gs[-1]}" in figure.title
    assert f"{lowest:.2f}".removeprefix("0") in figure.title
    assert ("least alike" in figure.title) == (groups > 2)
    assert len(figure.data) == LAST * groups * (groups - 1) // 2


def test_no_conflict_is_not_called_a_fight() -> None:
    frame, ms, gs = _rows(3, 2, negative=0.0)
    assert gradients.conflict(frame, NAMES, ms, gs, (1, LAST)).title == f"Epochs 1 to {LAST}: No modality is ever against the fused gradient under ERM (fused)"


def test_only_factors_are_in_the_factor_strip() -> None:
    frame, _, _ = _rows(2, 2)
    assert {row["series"] for row in applied(rows_of(gradients.prepared(frame, NAMES)))} == {"factor"}


def test_lowest_pair_first_and_unknown_left_out() -> None:
    rows = pd.DataFrame({"pair": ["a / b", "a / c", "b / c"], "trained": [1, 1, 1], "value": [0.5, None, -0.2]})
    assert pairs_of(rows_of(rows)) == ["b / c", "a / b"]
