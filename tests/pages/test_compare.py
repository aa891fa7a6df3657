"""The Compare page: points are the audit's, patients stay hidden until asked for."""

from __future__ import annotations

import pandas as pd
import pytest

from core.charts.comparison import headline
from core.charts.text import interval
from core.cohort import load
from core.results import compare_runs
from core.results.answers import standing
from core.store import Store
from dashboard.disagreements import SHOWN
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, drawn, open_page, specs, words


def test_answer_and_title_agree_with_the_paired_differences(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done")
        _, methods = compare_runs.overview(store, runs, "sex", "es_auc")
        table = compare_runs.pairs(store, runs, "sex", "es_auc")
    ahead = compare_runs.lead(methods, table, "es_auc")
    assert ahead is not None
    said = words(app)
    parts = (ahead.best, ahead.ahead, ahead.open, "ES-AUC")
    assert f"\n{standing(*parts)}" in said and f"## {headline(*parts)}" in said
    best = methods.set_index("variant").loc[ahead.best]
    assert interval(best["y"], best["y_low"], best["y_high"]) in said
    assert f"all {len(table)} pairs" in said


def test_measure_changes_the_axis(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    app.get("button_group")[0].set_value("max_gap").run()
    titles = str(specs(calm(app))[0])
    assert "Gap between groups" in titles


def test_reference_drops_out_of_the_forest(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    app.selectbox(key="reference").set_value("GroupDRO").run()
    rows = [row for row in drawn(calm(app))[1] if "from_to" in row]
    assert "GroupDRO" not in {row["variant"] for row in rows}
    assert "ERM (fused)" in {row["variant"] for row in rows}


def test_patients_are_hidden_until_asked_for(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    assert app.toggle(key="show-patients").value is False
    assert "stay hidden" in words(app)
    sample = fake.cohort.table["sample_id"].iloc[0][:3]
    assert f"**{sample}" not in words(app)


def test_patients_on_whom_two_runs_disagree_are_shown_when_asked_for(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    first, second = (app.selectbox(key=f"disagree-{end}").value for end in "ab")
    app.toggle(key="show-patients").set_value(True).run()
    with Store.open(fake.workspace) as store:
        differ = compare_runs.disagreements(store, first, second, "sex")
    shown = differ[differ["group"] == "female"]["sample_id"].head(SHOWN)
    said = words(calm(app))
    assert len(shown) and all(f"**{sample}**" in said for sample in shown)
    assert len(app.get("image")) == cohort_images(fake, shown)


def cohort_images(fake: FakeWorkspace, samples: pd.Series) -> int:
    """How many of the samples have an image."""
    cohort = load(fake.workspace, fake.cohort.cohort_id)
    return int(cohort.present[cohort.table["sample_id"].isin(samples), cohort.modality_names.index("image")].sum())
