from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.metrics import roc_auc_score

from core.results.summary import test_summary
from core.runs.folder import RunFolder
from core.store import Store
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run


def answers(store: Store, run_id: str, attribute: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = store.predictions(run_id, "test").merge(store.attributes(store.runs()["cohort_id"][0], attribute), on="sample_id").dropna(subset=["value"])
    return frame["y"].to_numpy(), frame["score"].to_numpy(), frame["value"].to_numpy(dtype=object)


def test_numbers_agree_with_independent_libraries(workspace: Workspace) -> None:
    cohort = fake_cohort(workspace, patients=800)
    run_id = fake_run(workspace, cohort)
    with Store.open(workspace) as store:
        got = test_summary(store, run_id, "sex")
        y, score, group = answers(store, run_id, "sex")
        whole = store.predictions(run_id, "test")
        aucs = {g: roc_auc_score(y[group == g], score[group == g]) for g in ("female", "male")}
        overall = roc_auc_score(whole["y"], whole["score"])
        selected = (score >= 0.5).astype(int)
        assert got["auc"] == pytest.approx(overall, abs=1e-12)
        assert got["group_auc"] == pytest.approx(aucs, abs=1e-12)
        known = roc_auc_score(y, score)
        assert known != pytest.approx(overall), "some samples have no group, and are in the AUC alone"
        assert got["es_auc"] == pytest.approx(known / (1 + sum(abs(a - known) for a in aucs.values())))
        assert got["worst_group_auc"] == pytest.approx(min(aucs.values()))
        assert got["max_gap"] == pytest.approx(abs(aucs["female"] - aucs["male"]))
        assert got["dpd"] == pytest.approx(demographic_parity_difference(y, selected, sensitive_features=group))
        assert got["deodds"] == pytest.approx(equalized_odds_difference(y, selected, sensitive_features=group))
        assert got["threshold"] == 0.5 and got["n"] == len(whole)


def test_too_few_patients_are_null_with_a_reason_never_a_number(workspace: Workspace) -> None:
    cohort = fake_cohort(workspace, patients=300, attributes={"skin": {"light": 0.98, "dark": 0.02}})
    run_id = fake_run(workspace, cohort)
    with Store.open(workspace) as store:
        got = test_summary(store, run_id)
        assert got["group_auc"]["dark"] is None and "positives" in got["not_estimable"]["dark"]
        assert got["es_auc"] is None and got["max_gap"] is None and got["auc"] is not None


def test_a_decision_of_the_methods_own_counts_for_the_rates(workspace: Workspace) -> None:
    cohort = fake_cohort(workspace, patients=800)
    run_id = fake_run(workspace, cohort)
    path = RunFolder(workspace.runs / run_id).predictions
    table = pq.read_table(path)
    ones = pa.array(np.ones(len(table), np.int8))
    pq.write_table(table.set_column(table.column_names.index("prediction"), "prediction", ones), path)
    with Store.open(workspace) as store:
        got = test_summary(store, run_id, "sex")
        assert (got["threshold"], got["dpd"], got["deodds"]) == (None, 0.0, 0.0)
        assert got["auc"] is not None


def test_new_predictions_give_new_numbers(workspace: Workspace) -> None:
    cohort = fake_cohort(workspace, patients=400)
    run_id = fake_run(workspace, cohort)
    path = RunFolder(workspace.runs / run_id).predictions
    with Store.open(workspace) as store:
        before = test_summary(store, run_id)
        table = pq.read_table(path)
        pq.write_table(table.set_column(table.column_names.index("score"), "score", pa.array(1 - table["score"].to_numpy())), path)
        store.refresh()
        assert test_summary(store, run_id)["auc"] == pytest.approx(1 - before["auc"])
