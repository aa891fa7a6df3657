"""What a reader meets: ticks that differ, words that can be read, ties said as ties, nothing cut at an axis."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from core.charts import cohort_availability, comparison, groups
from core.charts.audit_forest import metric_forest
from core.charts.parts import DECIMALS, share_domain, with_gutter
from core.charts.theme import CONTRAST, DARK, LIGHT, Look, contrast, ink_over, rgb
from core.methods.source import cards

LOOKS = pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])


def _tick_labels(values: list[float]) -> list[str]:
    """Labels that Vega writes for these ticks."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "data": {"values": [{"x": v} for v in values]}, "mark": "point", "width": 900,
        "encoding": {"x": {"field": "x", "type": "quantitative", "scale": {"domain": [min(values), max(values)], "nice": False},
                           "axis": {"labelExpr": DECIMALS, "values": values, "labelOverlap": False}}},
    }  # fmt: skip
    return re.findall(r">([^<>]+)</text>", vl_convert.vegalite_to_svg(json.dumps(spec)))[: len(values)]


def test_neighbouring_ticks_never_carry_the_same_label() -> None:
    """Two decimals wrote .98, .98, .99, .99, 1.00 on the axis of a perfect score."""
    assert _tick_labels([0.98, 0.985, 0.99, 0.995, 1.0]) == [".98", ".985", ".99", ".995", "1.00"]
    assert _tick_labels([0.0, 0.0005, 0.001]) == ["0", ".0005", ".001"]
    assert _tick_labels([-0.1, -0.05, 0.0]) == ["−.10", "−.05", "0"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_an_axis_of_shares_holds_them_and_is_wide_enough(values: list[float]) -> None:
    low, high = share_domain([pd.Series(values)])
    assert 0 <= low <= min(values) and max(values) <= high <= 1
    assert high - low >= 0.0999
    ticks = with_gutter([low, high])[1]
    assert len(ticks) >= 2 and len({f"{t:.4f}" for t in ticks}) == len(ticks)


@LOOKS
def test_every_colour_can_be_read_as_a_word(look: Look) -> None:
    """Orange on white has a contrast of 2.2, and the names of two methods had less than 3."""
    ground = rgb(look.background)
    for color in (*look.groups, *look.modalities, *map(look.method_color, [*cards(), "a method without a card"]), look.worse, look.better):
        assert contrast(rgb(look.readable(color)), ground) >= CONTRAST
    assert contrast(rgb(look.muted), ground) >= CONTRAST


def test_contrast_is_that_of_the_standard() -> None:
    """Examples of WCAG 2.2: black on white is 21, #777777 on white just misses 4.5."""
    assert contrast(rgb("#000000"), rgb("#FFFFFF")) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#FFFFFF")) == pytest.approx(4.48, abs=0.005)
    assert contrast(rgb("#FFFFFF"), rgb("#FFFFFF")) == 1


@LOOKS
@pytest.mark.parametrize("value", [step / 50 for step in range(-50, 51)])
def test_numbers_in_a_heat_map_have_the_better_ink(look: Look, value: float) -> None:
    """Between the values that were tried both inks had less than 4.5, and side by side cells were written in black and in white on one blue."""
    ink = look.ink_on(value, (-1.0, 0.0, 1.0))
    end = rgb(look.diverging[0 if value < 0 else 2])
    cell = tuple(m + (e - m) * abs(value) for m, e in zip(rgb(look.diverging[1]), end, strict=True))
    assert contrast(rgb(ink), cell) >= CONTRAST
    assert look.mode == "light" or ink == "#FFFFFF"


def test_no_number_takes_the_other_ink_where_none_is_needed() -> None:
    """Beyond the end of the scale, at which the ink was thought to change, numbers of the dark theme were black on blue."""
    assert min(DARK.strong_from(0), DARK.strong_from(2)) > 2
    assert 0 < LIGHT.strong_from(2) < 1


@LOOKS
def test_numbers_on_verdicts_and_shares_can_be_read(look: Look) -> None:
    """White on orange had 3.97, and white on the blue of a share of 56% had 2.9."""
    shares = [cohort_availability._cell(step / 100, look) for step in range(101)]
    for ground in (*shares, rgb(look.worse), rgb(look.better)):
        assert contrast(rgb(ink_over(ground)), ground) >= CONTRAST


def _perfect() -> pd.DataFrame:
    rows = [
        {"run_id": run, "group": group, "value": 1.0, "low": 0.99, "high": 1.0, "n_pos": 20, "n_neg": 30, "reason": None}
        for run in ("a", "b")
        for group in (None, "female", "male")
    ]
    return pd.DataFrame(rows)


def test_a_tie_is_said_as_a_tie() -> None:
    """It said: Male has the lowest AUC under ERM: 1.000 against 1.000 for female."""
    figure = groups.forest(_perfect(), {"a": "ERM", "b": "MultiFair"}, ("female", "male"), "sex")
    assert figure.title == "All groups have an AUC of 1.000 under every run"
    table = _perfect().dropna(subset=["group"]).assign(model="m", estimable=True)
    figure = metric_forest(table, pd.DataFrame({"model": ["m"], "value": [1.0]}), "sex", "auc")
    assert figure.title == "AUC is 1.000 in every group by sex."


def _methods(**unimodal: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    common = {"family": "none", "seeds": 1, "kind": "patients", "front": False, "excluded": "", "n_pos": 9, "n_neg": 9, "n_all": 20}
    fused = {**common, "method": "erm", "variant": "ERM", "x": 0.85, "x_low": 0.80, "x_high": 0.90, "y": 0.8, "y_low": 0.75, "y_high": 0.85, "front": True}
    alone = {**common, "method": "unimodal", "variant": "Unimodal: image", **unimodal}
    seeds = pd.DataFrame([{"variant": v, "seed": 1, "x": x, "y": y} for v, x, y in (("ERM", 0.85, 0.8), ("Unimodal: image", unimodal["x"], unimodal["y"]))])
    return seeds, pd.DataFrame([fused, alone])


def _drawn_domain(figure: object, channel: str) -> list[float]:
    spec = figure.chart(LIGHT).to_dict()  # type: ignore[attr-defined]
    found = re.findall(rf'"{channel}": {{"[^{{}}]*"scale": {{[^{{}}]*"domain": \[([^\]]+)\]', json.dumps(spec))
    return [float(v) for v in found[0].split(",")]


def test_an_interval_that_is_drawn_is_drawn_whole() -> None:
    """A network of one modality inside the plot had its interval cut at the axis without a mark."""
    seeds, methods = _methods(x=0.81, x_low=0.60, x_high=0.95, y=0.77, y_low=0.5, y_high=0.9)
    low, high = _drawn_domain(comparison.scatter(seeds, methods, "es_auc", "sex"), "y")
    assert low <= 0.5 and high >= 0.9
    low, _ = _drawn_domain(comparison.scatter(seeds, methods, "es_auc", "sex"), "x")
    assert low <= 0.60


def test_a_network_far_away_stands_at_the_edge_and_squeezes_nobody() -> None:
    seeds, methods = _methods(x=0.3, x_low=0.2, x_high=0.4, y=0.2, y_low=0.1, y_high=0.3)
    low, _ = _drawn_domain(comparison.scatter(seeds, methods, "es_auc", "sex"), "x")
    assert low > 0.7


def test_no_word_of_a_line_that_is_not_drawn() -> None:
    seeds, methods = _methods(x=0.81, x_low=0.78, x_high=0.83, y=0.77, y_low=0.76, y_high=0.78)
    assert "Dashed" not in comparison.scatter(seeds, methods, "es_auc", "sex").note
    assert "Dashed" in comparison.scatter(seeds, methods.assign(front=True), "es_auc", "sex").note


def test_each_axis_says_whose_numbers_it_has() -> None:
    """It said "test samples of known group" of an AUC of all test samples."""
    seeds, methods = _methods(x=0.81, x_low=0.78, x_high=0.83, y=0.77, y_low=0.76, y_high=0.78)
    assert comparison.scatter(seeds, methods, "es_auc", "sex").note.startswith("AUC: all 20 test samples. ES-AUC: the 18 of them whose sex is recorded.")
    assert comparison.scatter(seeds, methods.assign(n_all=18), "es_auc", "sex").note.startswith("All 18 test samples.")
