"""The Groups page: its numbers are the audit's, its controls answer, its empty states speak."""

from __future__ import annotations

import pytest

from core.audit import AuditOptions, Predictions, audit
from core.charts.text import decimal, percent
from core.report.audit_tables import groups_table
from core.results import group_tables
from core.store import Store
from tests.factories import FakeWorkspace, fake_cohort
from tests.pages.analysis import calm, drawn, open_page, open_tab, specs, words


def _frame(fake: FakeWorkspace, run_id: str, attribute: str) -> Predictions:
    """The run's test rows as a plain audit reads them: independent of the page's own views."""
    with Store.open(fake.workspace) as store:
        rows = store.predictions(run_id, "test")
        values = store.attributes(fake.cohort.cohort_id, attribute).set_index("sample_id")["value"]
    groups = [v if isinstance(v, str) else None for v in rows["sample_id"].map(values)]
    return Predictions.build(rows["y"].to_numpy(), rows["score"].to_numpy(), {attribute: groups})


def _erm(fake: FakeWorkspace) -> str:
    return next(run for run in fake.run_ids if run.startswith("erm-s1-"))


def test_reads_the_audits_group_aucs(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=run, attribute="sex"))
    found = groups_table(audit(_frame(fake, run, "sex"), AuditOptions(bootstrap=0, missing="exclude")).to_dict())
    aucs = found[(found["metric"] == "auc") & (found["attribute"] == "sex")].set_index("group")["value"].astype(float)
    said = words(app)
    assert f"{decimal(aucs.min())} against {decimal(aucs.max())} for {aucs.idxmax()}" in said
    shown = {row["who"]: row["value"] for row in drawn(app)[0] if "who" in row}
    assert shown["female"] == pytest.approx(aucs["female"], abs=1e-9)
    assert shown["male"] == pytest.approx(aucs["male"], abs=1e-9)


def test_verdict_is_the_audits(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=run, attribute="skin_type"))
    found = audit(_frame(fake, run, "skin_type"), AuditOptions(bootstrap=0, missing="exclude"))
    assert found.model().attribute("skin_type").verdict("auc").reason.removeprefix("AUC: ") in words(app)


def test_small_group_is_reported_not_drawn(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=_erm(fake), attribute="skin_type"))
    rows = [row for row in drawn(app)[0] if row.get("who") == "V-VI"]
    assert rows and all(row["value"] is None and "needed" in row["why"] for row in rows)


def test_threshold_slider_changes_the_rates(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=run, attribute="sex"))
    assert not app.slider, "a tab that is not open is not drawn"
    open_tab(app, "Threshold")
    app.number_input(key="threshold-number").set_value(0.301).run()
    assert app.slider(key="threshold-slider").value == 0.3, "what is typed goes to the nearest threshold that was computed"
    calm(app)
    with Store.open(fake.workspace) as store:
        rows = group_tables.consequences(store, [run], "sex")
    tpr = rows[(rows["metric"] == "tpr") & (rows["threshold"] == 0.3)].sort_values("value")
    assert f"{percent(tpr['value'].iloc[0])} of the positives of {tpr['group'].iloc[0]}" in words(app)


def test_the_gap_stands_on_its_null_in_one_chart(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [_erm(fake), next(run for run in fake.run_ids if run.startswith("multifair-s1-"))]
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=",".join(runs), attribute="sex"))
    with Store.open(fake.workspace) as store:
        null = group_tables.gap_null(store, runs, "sex").drop_duplicates("run_id").set_index("run_id").loc[runs]
    rows = drawn(app)[len(runs)]
    observed = [row for row in rows if "observed" in row]
    assert [row["observed"] for row in observed] == pytest.approx(list(null["observed"]))
    assert [row["q95"] for row in observed] == pytest.approx(list(null["q95"]))
    assert all(decimal(row["q95"]) in row["words"] for row in observed), "what chance alone reaches stands beside the gap"
    assert {row["row"] for row in rows if "step" in row} == {0, 1}


@pytest.mark.parametrize(
    ("tab", "says", "panels"),
    [
        ("ROC", "At one false alarm in ten", 1),
        ("Calibration", "Observed events agree with the predicted ones", 2),
        ("Between groups", "Hardest to rank", 1),
        ("Intersections", "No intersection has enough positives and negatives", 1),
    ],
)
def test_only_the_open_tab_is_drawn(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch, tab: str, says: str, panels: int) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=_erm(fake), attribute="sex"))
    assert len(specs(app)) == 3, "forest, the gap on its null, ES-AUC"
    assert says not in words(app)
    open_tab(app, tab)
    assert len(specs(app)) == 2 + panels
    assert says in words(app) and "ES-AUC is highest" not in words(app)


def test_link_reopens_the_view(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _erm(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "groups", runs=run, attribute="skin_type", cohort=fake.cohort.cohort_id))
    assert app.multiselect(key="view_runs").value == [run]
    assert app.selectbox(key="view_attribute").value == "skin_type"
    assert app.query_params["runs"] in (run, [run])


def test_without_cohort_says_where_to_go(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "groups"))
    assert "No cohort yet" in words(app)
    assert [button.label for button in app.button] == ["Go to Cohort"]


def test_without_runs_says_where_to_go(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cohort(workspace, patients=60)
    app = calm(open_page(monkeypatch, workspace.root, "groups"))
    assert "No finished runs" in words(app)


def test_user_text_is_shown_not_interpreted(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.factories import fake_run

    hostile = "<img src=x onerror=alert(1)> **b** $x$"
    cohort = fake_cohort(workspace, patients=400, attributes={"kind": {hostile: 0.5, "plain": 0.5}})
    run = fake_run(workspace, cohort, epochs=2)
    app = calm(open_page(monkeypatch, workspace.root, "groups", runs=run))
    assert hostile in words(app)
    assert not any(hostile in part.value for part in app.markdown), "user text reaches Markdown unescaped"
