"""Every figure of the analysis pages: it draws in both looks, says what it shows, and knows when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import pytest
import vl_convert

from core.charts import calibration, comparison, consequences, contribution, curvature, gradients, groups, modality_auc, synergy
from core.charts.figure import Figure
from core.charts.glossary import GLOSSARY, explain
from core.charts.theme import DARK, LIGHT
from core.results import compare_runs, group_tables, intersections
from core.store import Store
from tests.charts.altair_draws import assert_altair_draws_the_same
from tests.factories import fake_workspace

NAMES = {"a": "ERM (fused)", "b": "MultiFair"}
MODALITIES, SEX, SKIN = ("image", "clinical"), ("female", "male"), ("I-II", "III-IV", "V-VI")


@cache
def figures() -> dict[str, Figure]:
    """All figures on one small made-up workspace, for an attribute with a group too small to judge."""
    fake = fake_workspace(Path(mkdtemp(prefix="figures-")) / "workspace", patients=1500, epochs=4)
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done")
        chosen = [run for run in runs["run_id"] if run.startswith(("erm-s1-", "multifair-s1-"))]
        names = dict(zip(chosen, NAMES.values(), strict=True))
        telemetry = store.telemetry(chosen)
        last = telemetry[telemetry["epoch"] == telemetry["epoch"].max()]
        modal = group_tables.modality_performance(store, chosen, "skin_type")
        seeds, methods = compare_runs.overview(store, runs, "sex", "es_auc")
        found = [
            contribution.over_epochs(telemetry, names, MODALITIES),
            contribution.by_group(last, names, MODALITIES, SEX, "sex"),
            synergy.synergy(last, names, SEX, "sex"),
            modality_auc.unimodal(modal[modal["kind"] == "unimodal"], names, MODALITIES, SKIN, "skin_type"),
            modality_auc.take_away(modal[modal["kind"] != "unimodal"], names, MODALITIES, SKIN, "skin_type"),
            gradients.conflict(telemetry, names, MODALITIES, SEX, (1, 4)),
            gradients.magnitudes(telemetry, names, MODALITIES),
            curvature.over_epochs(telemetry, names, MODALITIES),
            groups.forest(group_tables.group_performance(store, chosen, "skin_type"), names, SKIN, "skin_type"),
            groups.gap_null(group_tables.gap_null(store, chosen, "skin_type"), names, "skin_type"),
            groups.roc(group_tables.roc(store, chosen, "skin_type"), names, SKIN, "skin_type"),
            calibration.curves(group_tables.calibration(store, chosen, "skin_type"), names, SKIN, "skin_type"),
            calibration.observed_over_expected(group_tables.calibration(store, chosen, "skin_type"), names, SKIN, "skin_type"),
            consequences.equity(group_tables.summaries(store, chosen, "skin_type"), names, "skin_type"),
            consequences.thresholds(group_tables.consequences(store, chosen, "skin_type"), names, SKIN, "skin_type", 0.5),
            consequences.cross_group(group_tables.cross_group(store, chosen, "skin_type"), names, SKIN, "skin_type"),
            consequences.intersections(intersections.intersections(store, chosen[0], ["skin_type", "sex"]), "ERM (fused)", ["skin_type", "sex"]),
            comparison.scatter(seeds, methods, "es_auc", "sex"),
            comparison.paired_forest(compare_runs.paired(store, runs, "ERM (fused)", "sex", "es_auc"), "ERM (fused)", "es_auc"),
        ]
    return {figure.name: figure for figure in found}


FIGURES = (
    "contribution-ratio", "shapley-by-group", "synergy", "unimodal-auc", "take-away", "gradient-conflict", "magnitude", "curvature", "group-auc", "gap-null",
    "roc", "calibration", "observed-expected",
    "equity", "thresholds", "cross-group", "intersections", "accuracy-fairness", "paired-differences",
)  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("look", [LIGHT, DARK], ids=["light", "dark"])
def test_draws_as_a_whole(name: str, look) -> None:
    """The download's drawing is valid Vega-Lite and renders, with its title in it."""
    figure = figures()[name]
    assert not figure.empty
    svg = vl_convert.vegalite_to_svg(figure.chart(look).to_dict())
    assert svg.count("<path") > 3
    assert figure.title.split()[0] in svg


@pytest.mark.parametrize("name", FIGURES)
def test_altair_draws_the_same(name: str) -> None:
    assert_altair_draws_the_same(figures()[name], LIGHT)


@pytest.mark.parametrize("name", FIGURES)
def test_says_what_it_shows(name: str) -> None:
    figure = figures()[name]
    assert figure.title[0].isupper() or not figure.title[0].isalpha()
    assert figure.alt.endswith(".") and len(figure.alt) > 40
    assert set(figure.table) <= set(figure.data.columns)
    assert explain(figure.terms)


@pytest.mark.parametrize("name", FIGURES)
def test_sends_few_marks(name: str) -> None:
    figure = figures()[name]
    rows = sum(len(rows) for panel in figure.panels for rows in panel.draw(LIGHT, 300).to_dict().get("datasets", {}).values())
    assert rows < 4000


def test_group_too_small_is_hatched_not_zero() -> None:
    cells = figures()["cross-group"].data
    small = cells[cells["positive"] == "V-VI"]
    assert small["value"].isna().all() and small["reason"].notna().all()


def test_title_follows_the_data() -> None:
    rows = pd.DataFrame(
        {
            "run_id": ["a"] * 3,
            "group": [None, "x", "y"],
            "value": [0.8, 0.7, 0.9],
            "low": [0.7, 0.6, 0.8],
            "high": [0.9, 0.8, 0.95],
            "n_pos": [20, 10, 10],
            "n_neg": [20, 10, 10],
            "reason": [None] * 3,
        }
    )
    first = groups.forest(rows, {"a": "ERM"}, ("x", "y"), "g").title
    assert first == "X has the lowest AUC under ERM: .700 against .900 for y"
    rows.loc[1, "value"] = 0.95
    assert groups.forest(rows, {"a": "ERM"}, ("x", "y"), "g").title == "Y has the lowest AUC under ERM: .900 against .950 for x"


def test_synergy_is_claimed_only_where_its_interval_leaves_0() -> None:
    row = {"run_id": "a", "name": "contribution.synergy", "group": None, "modality": "image", "modality_b": "notes", "value": -0.05, "n": 90}
    sure, open_ = pd.DataFrame([{**row, "low": -0.08, "high": -0.02}]), pd.DataFrame([{**row, "low": -0.08, "high": 0.01}])
    assert synergy.synergy(sure, {"a": "ERM"}, (), "").title.startswith("Image and notes say partly the same under ERM: −.050")
    assert synergy.synergy(open_, {"a": "ERM"}, (), "").title == "No two modalities are clearly worth more or less together than apart"


def test_a_group_called_everybody_keeps_a_row_of_its_own() -> None:
    counts = {"low": 0.7, "high": 0.99, "n_pos": 50, "n_neg": 50, "reason": None}
    rows = pd.DataFrame([{"run_id": "a", "group": group, "value": value, **counts} for group, value in (("everybody", 0.8), ("x", 0.9), (None, 0.85))])
    figure = groups.forest(rows, {"a": "ERM"}, ("everybody", "x"), "g")
    assert dict(zip(figure.data["who"], figure.data["value"], strict=True)) == {"everybody": 0.8, "x": 0.9, "everybody together": 0.85}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: contribution.over_epochs(
            pd.DataFrame({"run_id": [], "name": [], "group": [], "value": [], "modality": [], "epoch": [], "low": [], "high": [], "n": []}), NAMES, MODALITIES
        ),
        lambda: synergy.synergy(pd.DataFrame({"run_id": ["a"], "name": ["contribution.phi"], "group": [None], "value": [0.1]}), NAMES, SEX, "sex"),
        lambda: groups.gap_null(pd.DataFrame(), NAMES, "sex"),
        lambda: groups.roc(pd.DataFrame(), NAMES, SEX, "sex"),
        lambda: calibration.curves(pd.DataFrame(), NAMES, SEX, "sex"),
        lambda: calibration.observed_over_expected(pd.DataFrame(), NAMES, SEX, "sex"),
        lambda: consequences.equity(pd.DataFrame(), NAMES, "sex"),
        lambda: consequences.cross_group(pd.DataFrame(), NAMES, SEX, "sex"),
        lambda: comparison.scatter(pd.DataFrame(), pd.DataFrame(), "es_auc", "sex"),
        lambda: comparison.paired_forest(pd.DataFrame(), "ERM", "es_auc"),
    ],
)
def test_without_data_says_why(draw: Callable[[], Figure]) -> None:
    figure = draw()
    assert figure.empty and figure.title == figure.empty
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.chart(LIGHT)


def test_every_term_has_a_line() -> None:
    assert all(term.line.endswith(".") for term in GLOSSARY.values())
    with pytest.raises(KeyError):
        explain(["no such term"])


def test_rates_that_are_not_drawn_are_named_with_their_reason() -> None:
    """The note spoke of denominators below five where eight were too few."""
    rows = [("tpr", 0.5, 0.2, 0.8, None), ("ppv", None, None, None, "8 rows, 10 are needed")]
    frame = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "reason"])
    frame = frame.assign(run_id="a", threshold=0.5, group="male", selected=8, n=28)
    figure = consequences.thresholds(frame, {"a": "ERM"}, ("male",), "sex", 0.5)
    assert figure.note == "Test split, Wilson 95 % intervals. Not estimable: PPV of male (8 rows, 10 are needed)."
    assert consequences.thresholds(frame[:1], {"a": "ERM"}, ("male",), "sex", 0.5).note == "Test split, Wilson 95 % intervals."
