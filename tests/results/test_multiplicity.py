"""The strongest of many verdicts: false disparities stay rare in the whole search, true ones are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit.estimates.group_estimates import auc_table, group_counts
from core.audit.estimates.operating_point import OperatingPoint
from core.audit.estimates.scored import scored
from core.audit.inference.pairwise import pairwise
from core.audit.inference.verdicts import DISPARITY, NONE_FOUND, NOT_ENOUGH, judge
from core.audit.input.predictions import Attribute, Predictions
from core.metrics.permutation import permute_aucs
from core.results.multiplicity import searched, strongest
from core.results.rows import OPTIONS
from core.results.views import widest_pair
from core.store import Store
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run

RUNS = 4
WORKSPACES = 150
PERMUTATIONS = 400
PAIR = {"difference": 0.1, "low": 0.02, "high": 0.18, "p": 0.02, "group_high": "b", "value_high": 0.9, "group_low": "a", "value_low": 0.8}


def _row(verdict: str, p: float | None, pair_p: float | None = None) -> dict[str, object]:
    return {"verdict": verdict, "reason": "as audited.", "p_gap": p, "pair": None if pair_p is None else {**PAIR, "p": pair_p}}


def _workspace(rng: np.random.Generator, n: int = 200) -> pd.DataFrame:
    """Verdicts of four methods on the same patients by three attributes, none of which means anything."""
    y = (rng.random(n) < 0.4).astype(np.int8)
    shared = rng.normal(size=n)
    scores = {f"run-{i}": y * 1.2 + 0.7 * shared + 0.7 * rng.normal(size=n) for i in range(RUNS)}
    shares = {"sex": (0.5, 0.5), "skin": (0.6, 0.25, 0.15), "age": (0.25, 0.25, 0.25, 0.25)}
    attributes = {name: Attribute(tuple(f"{name}{i}" for i in range(len(p))), rng.choice(len(p), n, p=p)) for name, p in shares.items()}
    predictions = Predictions(sample_id=np.arange(n).astype(str).astype(object), y=y, scores=scores, attributes=attributes, source="null")
    rows = []
    for model in scores:
        data = scored(predictions, model, OperatingPoint(None, "fixed", reason="not asked for"))
        for attribute in attributes.values():
            counts = group_counts(data, attribute.codes, len(attribute.names))
            table = auc_table(data, attribute.codes, len(attribute.names), counts.lacking(OPTIONS), OPTIONS)
            tests = pairwise(table, OPTIONS.correction)
            verdict = judge(table, tests, attribute.names, OPTIONS)
            chance = permute_aucs(y, data.score, attribute.codes, len(attribute.names), permutations=PERMUTATIONS, usable=table.judged, seed=int(rng.integers(2**31)), workers=1)
            rows.append({"verdict": verdict.verdict, "reason": verdict.reason, "p_gap": chance.max_gap.p, "pair": widest_pair(tests, table, attribute.names)})
    return searched(pd.DataFrame(rows))


def test_without_a_true_disparity_five_workspaces_in_a_hundred_show_one_at_most() -> None:
    rng = np.random.default_rng(20)
    found = [_workspace(rng) for _ in range(WORKSPACES)]
    alone = np.mean([(table["alone"] == DISPARITY).any() for table in found])
    after = np.mean([(table["verdict"] == DISPARITY).any() for table in found])
    print(f"{alone:.3f} alone, {after:.3f} after the correction")
    stray = 2 * np.sqrt(0.05 * 0.95 / WORKSPACES)
    assert all(len(table) == RUNS * 3 for table in found)
    assert alone > 0.05 + stray, "the search must be large enough for the correction to matter"
    assert after <= 0.05, f"{after:.1%} of workspaces show a disparity that is not there"


def test_holm_over_what_was_looked_at() -> None:
    table = searched(pd.DataFrame([_row(DISPARITY, 0.01, 0.01), _row(DISPARITY, 0.03, 0.02), _row(NOT_ENOUGH, 0.2), _row(NOT_ENOUGH, None)]))
    assert list(table["searched"]) == [3] * 4, "a verdict without a test was not searched"
    assert table["p_search"].iloc[:3].tolist() == pytest.approx([0.03, 0.06, 0.2])
    assert np.isnan(table["p_search"].iloc[3])
    assert list(table["verdict"]) == [DISPARITY, NOT_ENOUGH, NOT_ENOUGH, NOT_ENOUGH]
    assert list(table["alone"])[:2] == [DISPARITY, DISPARITY]


def test_sentences_say_how_many_were_searched_and_others_stay_as_audited() -> None:
    table = searched(pd.DataFrame([_row(DISPARITY, 0.001, 0.001), _row(DISPARITY, 0.04, 0.03), _row(NONE_FOUND, 0.5)]))
    assert table["reason"].tolist() == [
        "AUC is .900 for b and .800 for a: a difference of .100 [.020, .180], beyond the tolerance of .050 and not explained by chance, even as one of 3 comparisons searched (corrected p = .003).",
        "AUC is .900 for b and .800 for a: a difference of .100 [.020, .180]. Alone it would pass for real (p = .030), but as one of 3 comparisons searched it may be chance (corrected p = .080).",
        "as audited.",
    ]


def test_one_verdict_needs_no_correction() -> None:
    table = searched(pd.DataFrame([_row(DISPARITY, 0.02, 0.01)]))
    assert table["p_search"].iloc[0] == pytest.approx(0.02)
    assert "searched" not in table["reason"].iloc[0]


def test_nothing_searched() -> None:
    assert searched(pd.DataFrame()).empty


def test_a_true_disparity_survives_the_search(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    cohort = fake_cohort(workspace, patients=3000, attributes={"sex": {"female": 0.5, "male": 0.5}, "region": {"north": 0.5, "south": 0.5}})
    run = fake_run(workspace, cohort, method="erm", epochs=2)
    path = workspace.runs / run / "predictions.parquet"
    frame = pd.read_parquet(path)
    group = cohort.table.set_index("sample_id")["sex"].reindex(frame["sample_id"]).to_numpy()
    noise = np.random.default_rng(0).random(len(frame))
    frame["score"] = np.where(group == "male", 0.15 * frame["y"] + 0.85 * noise, 0.6 * frame["y"] + 0.4 * noise)
    frame.to_parquet(path)
    with Store.open(workspace) as store:
        table = strongest(store, [run], cohort.attributes).set_index("attribute")
    assert table.loc["sex", "verdict"] == DISPARITY and table.loc["sex", "p_search"] < 0.01
    assert table.loc["region", "verdict"] != DISPARITY
    assert "female" in table.loc["sex", "reason"] and "2 comparisons searched" in table.loc["sex", "reason"]
