"""Mean over seeds of several trainings of one method."""

from __future__ import annotations

import numpy as np
import pytest

from core.audit import Audit, AuditOptions, Predictions, audit
from core.audit.comparison.seeds import SEEDS, methods_of, over_seeds
from core.metrics.catalogue import CATALOGUE
from tests.audit.cohorts import simulated


def trainings(names: tuple[str, ...]) -> Audit:
    base = simulated({"a": 200, "b": 200, "c": 6})
    rng = np.random.default_rng(1)
    scores = {name: np.clip(base.scores["model"] + rng.normal(0, 0.05, len(base)), 0, 1) for name in names}
    return audit(Predictions.build(base.y, scores, {"group": base.attributes["group"].values()}), AuditOptions(bootstrap=0))


def test_names_tell_method_and_seed() -> None:
    runs = ("erm-s0-0123456789", "erm-s1-abcdef0123", "ogm-ge-s1-0123456789", "ERM seed 3", "ERM seed 4", "physician", "reads2")
    assert methods_of(runs) == {runs[0]: "erm", runs[1]: "erm", runs[3]: "ERM", runs[4]: "ERM"}


def test_mean_and_spread_over_seeds() -> None:
    names = ("erm-s1", "erm-s2", "erm-s3")
    result = trainings((*names, "other"))
    frame = over_seeds(result)
    assert list(frame.columns) == SEEDS and set(frame["method"]) == {"erm"}
    row = frame[(frame["attribute"] == "group") & (frame["group"] == "a") & (frame["metric"] == "auc")].iloc[0]
    areas = np.array([result.model(name).attribute("group").tables["auc"].value[0] for name in names])
    assert (row["mean"], row["sd"], row["seeds"]) == (pytest.approx(areas.mean()), pytest.approx(areas.std(ddof=1)), 3)
    assert row["low"] == pytest.approx(areas.mean() - 4.302653 * areas.std(ddof=1) / np.sqrt(3))
    gap = frame[(frame["metric"] == "max_gap") & (frame["attribute"] == "group")].iloc[0]
    assert (gap["group"], gap["seeds"]) == ("(all)", 3)
    small = frame[(frame["group"] == "c") & (frame["metric"] == "auc")].iloc[0]
    assert np.isnan(small["mean"]) and small["left_out"] == 3 and small["reason"] == "no seed gave an estimate"


def test_an_interval_over_seeds_stays_in_the_metrics_range() -> None:
    """Two trainings at .99 and .96 had limits up to 1.165."""
    frame = over_seeds(trainings(("erm-s1", "erm-s2"))).dropna(subset=["low"])
    for metric, rows in frame.groupby("metric"):
        least, most = CATALOGUE[str(metric)].bounds
        assert least is None or (rows["low"] >= least).all(), metric
        assert most is None or (rows["high"] <= most).all(), metric
    assert (frame["low"] <= frame["mean"]).all() and (frame["mean"] <= frame["high"]).all()
    assert (frame.loc[frame["metric"] == "max_gap", "low"] == 0).any(), "the cut is needed here"


def test_the_document_has_seeds_only_where_there_are_some() -> None:
    told = trainings(("erm-s1", "erm-s2")).to_dict()["seeds"]
    assert {row["method"] for row in told} == {"erm"} and all(set(row) == set(SEEDS) for row in told)
    assert "seeds" not in trainings(("erm-s1", "other")).to_dict()
    named = over_seeds(trainings(("x", "y")), {"x": "mine", "y": "mine"})
    assert set(named["method"]) == {"mine"} and named["seeds"].max() == 2
