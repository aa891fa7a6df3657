"""Claims about a cohort's runs: one family for all of them, rare when nothing is true, the same wherever a page is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.audit.engine import audit
from core.audit.inference.verdicts import DISPARITY
from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions
from core.results.cohort_claims import claims, of_runs
from core.store import Store
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run

RUNS = 4
WORKSPACES = 150
OPTIONS = AuditOptions(bootstrap=0)


def _workspace(rng: np.random.Generator, n: int = 200) -> Predictions:
    """Four methods on the same patients, and three attributes of which none means anything."""
    y = (rng.random(n) < 0.4).astype(np.int8)
    shared = rng.normal(size=n)
    scores = {f"run-{i}": y * 1.2 + 0.7 * shared + 0.7 * rng.normal(size=n) for i in range(RUNS)}
    shares = {"sex": (0.5, 0.5), "skin": (0.6, 0.25, 0.15), "age": (0.25, 0.25, 0.25, 0.25)}
    attributes = {name: Attribute(tuple(f"{name}{i}" for i in range(len(p))), rng.choice(len(p), n, p=p)) for name, p in shares.items()}
    return Predictions(sample_id=np.arange(n).astype(str).astype(object), y=y, scores=scores, attributes=attributes, source="null")


def test_without_a_true_disparity_five_workspaces_in_a_hundred_show_one_at_most() -> None:
    rng = np.random.default_rng(20)
    alone, together = [], []
    for _ in range(WORKSPACES):
        found = audit(_workspace(rng), OPTIONS)
        p = [test.p for m in found.models for a in m.attributes for test in found.claims.of(a, "auc") if test.p is not None]
        alone.append(min(p) < OPTIONS.alpha)
        together.append(found.has_disparity)
    stray = 2 * np.sqrt(0.05 * 0.95 / WORKSPACES)
    assert np.mean(alone) > 0.05 + stray, "the search must be large enough for the correction to matter"
    assert np.mean(together) <= 0.05 + stray, f"{np.mean(together):.1%} of workspaces show a disparity that is not there"


@pytest.fixture
def workspace(tmp_path: Path) -> tuple[Workspace, str, list[str]]:
    """Two runs, the first of which serves one sex much worse."""
    place = Workspace.open(tmp_path / "w")
    cohort = fake_cohort(place, patients=3000, attributes={"sex": {"female": 0.5, "male": 0.5}, "region": {"north": 0.5, "south": 0.5}})
    runs = [fake_run(place, cohort, method="erm", epochs=2), fake_run(place, cohort, method="erm", epochs=2, seed=2)]
    path = place.runs / runs[0] / "predictions.parquet"
    frame = pd.read_parquet(path)
    group = cohort.table.set_index("sample_id")["sex"].reindex(frame["sample_id"]).to_numpy()
    noise = np.random.default_rng(0).random(len(frame))
    frame["score"] = np.where(group == "male", 0.15 * frame["y"] + 0.85 * noise, 0.6 * frame["y"] + 0.4 * noise)
    frame.to_parquet(path)
    return place, cohort.cohort_id, runs


def test_a_true_disparity_is_found(workspace: tuple[Workspace, str, list[str]]) -> None:
    place, cohort_id, runs = workspace
    with Store.open(place) as store:
        table = claims(store, cohort_id).set_index(["run_id", "attribute"])
    assert table.loc[(runs[0], "sex"), "verdict"] == DISPARITY and table.loc[(runs[0], "sex"), "p"] < 0.01
    assert table.loc[(runs[0], "region"), "verdict"] != DISPARITY
    assert "female" in table.loc[(runs[0], "sex"), "reason"] and table["tests"].iloc[0] == 4


def test_a_p_does_not_depend_on_the_runs_that_are_ticked(workspace: tuple[Workspace, str, list[str]]) -> None:
    place, cohort_id, runs = workspace
    with Store.open(place) as store:
        together = of_runs(store, cohort_id, runs, "sex").set_index("run_id")["p"]
        for run in runs:
            assert of_runs(store, cohort_id, [run], "sex")["p"].tolist() == [together[run]]


def test_a_verdict_never_contradicts_its_interval(workspace: tuple[Workspace, str, list[str]]) -> None:
    place, cohort_id, _ = workspace
    with Store.open(place) as store:
        table = claims(store, cohort_id)
    for row in table.to_dict("records"):
        if row["pair"] is not None:
            assert (row["pair"]["low"] > 0 or row["pair"]["high"] < 0) == (row["p"] < 0.05)


def test_nothing_finished_claims_nothing(tmp_path: Path) -> None:
    place = Workspace.open(tmp_path / "w")
    cohort = fake_cohort(place, patients=50, attributes={"sex": {"female": 0.5, "male": 0.5}})
    with Store.open(place) as store:
        assert claims(store, cohort.cohort_id).empty
