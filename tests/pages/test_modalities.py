"""The Modalities page shows what the runs recorded, and AUCs that an audit of the same scores gives."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.audit import AuditOptions, Predictions, audit
from core.charts.cohort_availability import availability
from core.charts.text import interval
from core.cohort import load
from core.report.audit_tables import groups_table
from core.results import group_tables
from core.store import Store
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, drawn, open_page, open_tab, specs, words


def _erm(fake: FakeWorkspace) -> str:
    return next(run for run in fake.run_ids if run.startswith("erm-s1-"))


def test_answer_reads_the_recorded_ratio(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=run))
    with Store.open(fake.workspace) as store:
        rows = store.telemetry([run], ["contribution.ratio"])
    last = rows[rows["group"].isna() & (rows["epoch"] == rows["epoch"].max())].sort_values("value").iloc[-1]
    assert f"leans on {last['modality']}: {interval(last['value'], last['low'], last['high'])}" in words(app)


def test_take_away_is_the_audits_auc(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = open_tab(open_page(monkeypatch, fake.workspace.root, "modalities", runs=run, attribute="sex"), "Take it away")
    with Store.open(fake.workspace) as store:
        rows = store.predictions(run, "test")
        scores = store.modality_scores(run, "test")
        values = store.attributes(fake.cohort.cohort_id, "sex").set_index("sample_id")["value"]
    without = scores[(scores["kind"] == "without") & (scores["modality"] == "image")].set_index("sample_id")["score"]
    groups = [v if isinstance(v, str) else None for v in rows["sample_id"].map(values)]
    predictions = Predictions.build(rows["y"].to_numpy(), rows["sample_id"].map(without).to_numpy(dtype=np.float64), {"sex": groups})
    found = groups_table(audit(predictions, AuditOptions(bootstrap=0, missing="exclude")).to_dict())
    expected = found[(found["metric"] == "auc") & (found["group"] == "female")]["value"].iloc[0]
    shown = [row["value"] for rows in drawn(app) for row in rows if row.get("step") == "without image" and row.get("group") == "female"]
    assert shown and all(value == pytest.approx(expected, abs=1e-9) for value in shown)


def test_other_attribute_than_trained_for_explains_itself(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=_erm(fake), attribute="skin_type"))
    assert "were trained for another attribute" in words(app)


def test_availability_is_the_share_who_have_it(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    present = load(fake.workspace, fake.cohort.cohort_id).present
    group = fake.cohort.table["sex"].to_numpy(dtype=object)
    app = open_tab(open_page(monkeypatch, fake.workspace.root, "modalities", runs=_erm(fake), attribute="sex"), "Who has which modality")
    cells = [row for rows in drawn(app) for row in rows if "share" in row]
    if present.all():
        assert "Every modality is available for everybody" in words(app) and not cells
    for row in cells:
        mask = group == row["group"]
        assert row["n"] == mask.sum()
        assert row["present"] == present[mask, fake.cohort.modalities.index(row["modality"])].sum()


def test_availability_by_group_counts_and_bounds(fake: FakeWorkspace) -> None:
    group = fake.cohort.table["sex"].to_numpy(dtype=object)
    present = np.ones((len(group), len(fake.cohort.modalities)), dtype=bool)
    present[:, 0] = group != "female"
    with Store.open(fake.workspace) as store:
        rows = group_tables.availability(store, fake.cohort.cohort_id, "sex", present, fake.cohort.modalities)
        figure = availability(rows, "sex")
    female = rows[(rows["group"] == "female") & (rows["modality"] == fake.cohort.modalities[0])].iloc[0]
    assert (female["value"], female["present"], female["n"]) == (0.0, 0, (group == "female").sum())
    assert female["low"] == 0.0 and 0 < female["high"] < 0.1
    assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()
    assert figure.title == f"{fake.cohort.modalities[0]} is available for 0% of female and 100% of male."


def test_unimodal_run_has_nothing_to_share(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = next(run for run in fake.run_ids if run.startswith("unimodal"))
    app = open_tab(open_page(monkeypatch, fake.workspace.root, "modalities", runs=run), "Take it away")
    assert "Nothing can be taken away" in words(app)


def test_another_run_leaves_the_first_ones_panel_as_it_is(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not changed is not drawn again by the browser: neither its drawing nor its sentence may speak of others."""
    both = [_erm(fake), next(run for run in fake.run_ids if run.startswith("erm-s2-"))]
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=both[0], attribute="sex"))
    first = _of_first_run(app, 1)
    app.multiselect(key="view_runs").set_value(both).run()
    # The runs are named among themselves: with a second seed, the seed is said.
    again = [json.loads(json.dumps(panel, ensure_ascii=False).replace("ERM (fused) · seed 1", "ERM (fused)")) for panel in _of_first_run(calm(app), 2)]
    assert [alt for alt, _ in again] == [alt for alt, _ in first]
    # The second run adds a larger Shapley value than the first one has, and heat maps share their colours.
    assert [again[0][1], again[2][1]] == [first[0][1], first[2][1]]


def _of_first_run(app: AppTest, runs: int) -> list[Any]:
    charts = [(chart.proto.alt, spec) for chart, spec in zip(app.get("vega_lite_chart"), specs(app), strict=True)]
    assert len(charts) == 3 * runs
    return [[alt.partition(": ")[2] or alt, spec] for alt, spec in charts[::runs]]
