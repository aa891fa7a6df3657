"""Pairs of gradients for two to six modalities and groups: all drawn, the lowest named, no warning."""

from __future__ import annotations

import itertools
import warnings

import pandas as pd
import pytest
import vl_convert

from core.charts import gradients
from core.charts.gradient_factors import applied
from core.charts.gradient_pairs import NAMED, group_magnitudes, pairs_of
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
            rows += [{**head, "name": "conflict.fused", "modality": m, "stat": stat, "value": value} for stat, value in (("mean", 0.2), ("p10", -0.1), ("share_negative", negative if i == 0 else negative / 2))]
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
def test_every_pair_is_drawn_and_one_brush_binds_all_strips(modalities: int, groups: int) -> None:
    frame, ms, gs = _rows(modalities, groups)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = gradients.conflict(frame, NAMES, ms, gs, (1, LAST))
        spec = styled(figure.panels[0].draw(LIGHT, "container"), LIGHT).to_dict()
        figure.chart(LIGHT).to_dict()
    assert figure.title == "M0 is against the fused gradient in 40% of steps (mean cosine +.20) under ERM (fused)"
    [brush] = spec["params"]
    bound = [strip["layer"][0]["name"] for strip in spec["vconcat"] if strip["layer"][0].get("name")]
    assert brush["views"] == bound and len(bound) == 5
    assert "<path" in vl_convert.vegalite_to_svg(spec)
    drawn = {row["pair"] for rows in spec["datasets"].values() for row in rows if row.get("name") == "conflict.modalities"}
    assert drawn == {" / ".join(pair) for pair in itertools.combinations(ms, 2)}
    said = [row["label"] for rows in spec["datasets"].values() for row in rows if row.get("name") == "conflict.groups" and "label" in row]
    pairs = groups * (groups - 1) // 2
    assert len(said) == (1 if pairs > NAMED else pairs)
    assert said[0] == f"{gs[-2]} / {gs[-1]}" or pairs <= NAMED


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
    assert gradients.conflict(frame, NAMES, ms, gs, (1, LAST)).title == "No modality is ever against the fused gradient under ERM (fused)"


def test_only_factors_are_in_the_factor_strip() -> None:
    frame, _, _ = _rows(2, 2)
    assert set(applied(gradients.prepared(frame, NAMES))["series"]) == {"factor"}


def test_lowest_pair_first_and_unknown_left_out() -> None:
    rows = pd.DataFrame({"pair": ["a / b", "a / c", "b / c"], "trained": [1, 1, 1], "value": [0.5, None, -0.2]})
    assert pairs_of(rows) == ["b / c", "a / b"]
