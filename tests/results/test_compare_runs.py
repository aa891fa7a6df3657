"""Methods against each other over all common seeds: paired draws, claims only after correction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.audit import AuditOptions, audit
from core.metrics.multiple_testing import holm
from core.metrics.paired import Pair, compare_aucs, compare_group_aucs
from core.results import compare_runs
from core.results.group_tables import group_performance, summaries
from core.results.paired_differences import paired_differences
from core.results.predictions import from_run
from core.results.summary import test_summary
from core.store import Store
from core.workspace import Workspace
from tests.factories import FakeCohort, FakeWorkspace, fake_cohort, fake_run

GROUPS = {"sex": {"female": 0.5, "male": 0.5}}


def _score(workspace: Workspace, cohort: FakeCohort, run: str, sharpness: float, seed: int) -> None:
    """Scores of a run whose AUC grows with `sharpness`; patients are easy or hard for all runs alike."""
    path = workspace.runs / run / "predictions.parquet"
    frame = pd.read_parquet(path)
    hard = np.random.default_rng(99).normal(size=len(frame))
    own = np.random.default_rng(seed).normal(size=len(frame))
    z = sharpness * (2 * frame["y"] - 1) + 0.9 * hard + 0.4 * own
    frame["score"] = 1 / (1 + np.exp(-z))
    frame.to_parquet(path)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory):
    workspace = Workspace.open(tmp_path_factory.mktemp("compare") / "w")
    cohort = fake_cohort(workspace, patients=1500, attributes=GROUPS)
    for method, sharpness in (("erm", 0.8), ("group-dro", 0.8), ("multifair", 1.5)):
        for seed in (1, 2, 3):
            run = fake_run(workspace, cohort, method=method, seed=seed, epochs=2)
            _score(workspace, cohort, run, sharpness, seed * 7 + len(method))
    with Store.open(workspace) as store:
        yield store, cohort, store.runs(status="done")


def test_a_pair_of_runs_is_the_paired_comparison_of_their_predictions(opened) -> None:
    store, _, runs = opened
    first, second = runs["run_id"].iloc[0], runs["run_id"].iloc[4]
    both = from_run(store, [first, second], "sex", ("test",))
    a, b, code = *both.scores.values(), both.attributes["sex"].codes
    found = paired_differences(store, [((first,), (second,))], "sex")[0]
    pair, everybody = Pair(both.y, a, b, code, 2), Pair(both.y, a, b, np.zeros_like(code), 1)
    seen = {**compare_aucs(pair), "auc": compare_group_aucs(everybody)[0]}
    for metric, name in (("auc", "auc"), ("es_auc", "es_auc"), ("max_gap", "max_gap"), ("worst_group_auc", "worst_group")):
        row, known = found[metric], seen[name]
        assert (row["value"], row["low"], row["high"], row["p"]) == pytest.approx((known.difference, known.low, known.high, known.p))


def test_two_methods_differ_by_the_same_in_either_order(opened) -> None:
    store, _, runs = opened
    first, second = runs["run_id"].iloc[0], runs["run_id"].iloc[4]
    ahead, back = (paired_differences(store, [((a,), (b,))], "sex")[0] for a, b in ((first, second), (second, first)))
    for metric, row in ahead.items():
        assert (row["value"], row["low"], row["high"], row["p"]) == (-back[metric]["value"], -back[metric]["high"], -back[metric]["low"], back[metric]["p"])


def test_a_pair_kept_in_the_store_is_the_pair_made_now(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    cohort = fake_cohort(workspace, patients=500, samples_per_patient=2, attributes=GROUPS)
    runs = tuple(fake_run(workspace, cohort, method=m, epochs=2) for m in ("erm", "multifair"))
    with Store.open(workspace) as store:
        made = paired_differences(store, [(runs[:1], runs[1:])], "sex")
    with Store.open(workspace) as store:
        assert paired_differences(store, [(runs[:1], runs[1:])], "sex") == made
        store.rebuild()
    with Store.open(workspace) as store:
        assert paired_differences(store, [(runs[:1], runs[1:])], "sex") == made


def test_a_group_that_is_not_judged_is_named_and_left_out(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done")
        seeds, methods = compare_runs.overview(store, runs, "skin_type", "es_auc")
        rows = group_performance(store, list(runs["run_id"]), "skin_type")
    left_out = rows[rows["group"].notna() & rows["value"].isna() & (rows["run_id"] == runs["run_id"].iloc[0])]
    said = "without " + ", ".join(f"{row.group} ({row.n_pos}+/{row.n_neg}\u2212)" for row in left_out.itertuples())
    assert len(left_out) and set(seeds["excluded"]) == set(methods["excluded"]) == {said}


def test_all_common_seeds_count(opened) -> None:
    store, _, runs = opened
    table = compare_runs.paired(store, runs, "ERM (fused)", "sex", "es_auc").set_index("variant")
    row = table.loc["MultiFair"]
    audited = summaries(store, list(runs["run_id"]), "sex").query("metric == 'es_auc'").set_index("run_id")["value"]
    by_seed, plain = (audited[runs[runs["method"] == method].sort_values("seed")["run_id"]].to_numpy() for method in ("multifair", "erm"))
    assert row["seeds"] == 3 and row["differences"] == pytest.approx(np.subtract(by_seed, plain).tolist())
    assert row["value"] == pytest.approx(np.mean(np.subtract(by_seed, plain)))
    assert row["sd"] == pytest.approx(np.std(np.subtract(by_seed, plain), ddof=1))
    assert row["low"] < row["value"] < row["high"]


def test_turning_the_pair_turns_the_sign(opened) -> None:
    store, _, runs = opened
    one = compare_runs.paired(store, runs, "ERM (fused)", "sex", "auc").set_index("variant").loc["MultiFair"]
    other = compare_runs.paired(store, runs, "MultiFair", "sex", "auc").set_index("variant").loc["ERM (fused)"]
    assert (one["value"], one["low"], one["high"]) == pytest.approx((-other["value"], -other["high"], -other["low"]))
    assert (one["value_a"], one["value_b"], one["p_adjusted"]) == pytest.approx((other["value_b"], other["value_a"], other["p_adjusted"]))


def test_claims_need_the_corrected_interval(opened) -> None:
    store, _, runs = opened
    _, methods = compare_runs.overview(store, runs, "sex", "auc")
    table = compare_runs.pairs(store, runs, "sex", "auc")
    assert len(table) == 3 and table["p_adjusted"].tolist() == pytest.approx(holm(table["p"]).tolist())
    clear = compare_runs.lead(methods, table, "auc")
    assert clear is not None and clear.best == "MultiFair" and clear.clear and set(clear.ahead) == {"ERM (fused)", "GroupDRO"}
    equals = runs[runs["method"] != "multifair"]
    _, methods = compare_runs.overview(store, equals, "sex", "auc")
    unclear = compare_runs.lead(methods, compare_runs.pairs(store, equals, "sex", "auc"), "auc")
    assert unclear is not None and not unclear.ahead and len(unclear.open) == 1


def test_one_seed_has_the_interval_of_its_run(opened) -> None:
    store, _, runs = opened
    own = runs[(runs["seed"] == 1) & (runs["method"] == "erm")]
    _, methods = compare_runs.overview(store, own, "sex", "es_auc")
    known = summaries(store, list(own["run_id"]), "sex").set_index("metric").loc["es_auc"]
    row = methods.iloc[0]
    assert row["kind"] == "patients"
    assert (row["y"], row["y_low"], row["y_high"]) == pytest.approx((known["value"], known["low"], known["high"]), abs=1e-5)


def test_one_es_auc_wherever_it_is_shown(fake: FakeWorkspace) -> None:
    """Samples of unknown group are in nobody's ES-AUC: pages, the command line and the audit say the same."""
    run = fake.run_ids[0]
    with Store.open(fake.workspace) as store:
        assert from_run(store, run, "sex").attributes["sex"].n_missing, "nothing is missing, so nothing is tested"
        found = audit(from_run(store, run, "sex"), AuditOptions(missing="exclude")).model().attribute("sex")
        audited = next(summary.value for summary in found.summaries if summary.metric == "es_auc")
        on_pages = summaries(store, [run], "sex").set_index("metric")["value"]["es_auc"]
        other = fake.run_ids[1]
        compared = paired_differences(store, [((run,), (other,))], "sex")[0]["es_auc"]["value_a"]
        assert audited == pytest.approx(on_pages) == pytest.approx(compared, abs=1e-9) == pytest.approx(test_summary(store, run, "sex")["es_auc"])


def test_a_run_with_fewer_test_samples_is_compared_on_what_all_share(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    cohort = fake_cohort(workspace, patients=600, attributes=GROUPS)
    runs = [fake_run(workspace, cohort, method=m, epochs=2) for m in ("erm", "multifair")]
    path = workspace.runs / runs[1] / "predictions.parquet"
    frame = pd.read_parquet(path)
    test = frame.index[frame["split"] == "test"]
    frame.drop(test[:20]).to_parquet(path)
    with Store.open(workspace) as store:
        table = compare_runs.pairs(store, store.runs(status="done"), "sex", "auc")
        whole, shared = (store.predictions(run, "test").set_index("sample_id") for run in runs)
    expected = abs(roc_auc_score(shared["y"], whole.loc[shared.index, "score"]) - roc_auc_score(shared["y"], shared["score"]))
    assert abs(table["value"].iloc[0]) == pytest.approx(expected)
