"""The Modalities page shows what the runs recorded, and AUCs that an audit of the same scores gives."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.charts.text import interval
from core.store import Store
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, drawn, open_page, words


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
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=run, attribute="sex"))
    with Store.open(fake.workspace) as store:
        rows = store.predictions(run, "test")
        scores = store.modality_scores(run, "test")
        values = store.attributes(fake.cohort.cohort_id, "sex").set_index("sample_id")["value"]
    without = scores[(scores["kind"] == "without") & (scores["modality"] == "image")].set_index("sample_id")["score"]
    groups = [v if isinstance(v, str) else None for v in rows["sample_id"].map(values)]
    predictions = Predictions.build(rows["y"].to_numpy(), rows["sample_id"].map(without).to_numpy(dtype=np.float64), {"sex": groups})
    found = audit(predictions, AuditOptions(bootstrap=0, permutations=0, missing="exclude")).groups
    expected = found[(found["metric"] == "auc") & (found["group"] == "female")]["value"].iloc[0]
    shown = [row["value"] for rows in drawn(app) for row in rows if row.get("step") == "without image" and row.get("group") == "female"]
    assert shown and all(value == pytest.approx(expected, abs=1e-9) for value in shown)


def test_other_attribute_than_trained_for_explains_itself(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=_erm(fake), attribute="skin_type"))
    assert "were trained for another attribute" in words(app)


def test_unimodal_run_has_nothing_to_share(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run = next(run for run in fake.run_ids if run.startswith("unimodal"))
    app = calm(open_page(monkeypatch, fake.workspace.root, "modalities", runs=run))
    assert "Nothing can be taken away" in words(app)
