"""The Compare page: points are the audit's, patients stay hidden until asked for."""

from __future__ import annotations

import pytest

from core.audit import run_compare
from core.charts.text import interval
from core.store import Store
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, drawn, open_page, specs, words


def test_answer_reads_the_summaries(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done")
        _, methods = run_compare.overview(store, runs, "sex", "es_auc")
    best = methods[methods["front"]].sort_values("y").iloc[-1]
    assert f"{best['variant']} has the best ES-AUC" in words(app)
    assert interval(best["y"], best["y_low"], best["y_high"]) in words(app)


def test_measure_changes_the_axis(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    app.get("button_group")[0].set_value("max_gap").run()
    titles = str(specs(calm(app))[0])
    assert "Gap between groups" in titles


def test_reference_drops_out_of_the_forest(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    app.selectbox(key="reference").set_value("GroupDRO").run()
    rows = [row for row in drawn(calm(app))[1] if "seed_mean" in row]
    assert "GroupDRO" not in {row["variant"] for row in rows}
    assert "ERM (fused)" in {row["variant"] for row in rows}


def test_patients_are_hidden_until_asked_for(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "compare", attribute="sex"))
    assert app.toggle(key="show-patients").value is False
    assert "stay hidden" in words(app)
    sample = fake.cohort.table["sample_id"].iloc[0][:3]
    assert f"**{sample}" not in words(app)
