"""Audits of runs, from the store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from core.audit import AuditOptions, Target, audit
from core.errors import UserError
from core.metrics.auc import auc
from core.results.predictions import from_run
from core.store import Store
from tests.factories import FakeWorkspace

PLAIN = AuditOptions(bootstrap=0)


@pytest.fixture
def store(fake: FakeWorkspace) -> Iterator[Store]:
    with Store.open(fake.workspace) as opened:
        opened.refresh()
        yield opened


@pytest.fixture
def done(store: Store) -> list[str]:
    return store.runs(status="done")["run_id"].tolist()


def test_the_test_split_is_audited(store: Store, done: list[str]) -> None:
    result = audit(from_run(store, done[0]), PLAIN)
    frame = store.predictions(done[0], "test")
    assert result.n == len(frame)
    assert result.models[0].tables["auc"].value[0] == pytest.approx(auc(frame["y"], frame["score"]))
    assert len(result.models[0].attributes) >= 1


def test_a_target_is_met_on_validation(store: Store, done: list[str]) -> None:
    result = audit(from_run(store, done[0]), AuditOptions(bootstrap=0, target=Target("sensitivity", 0.8)))
    point = result.models[0].point
    validation = store.predictions(done[0], "validation")
    positive = validation[validation["y"] == 1]["score"].to_numpy()
    assert point.source == "validation" and point.threshold is not None
    assert (positive >= point.threshold).mean() >= 0.8 > (positive > point.threshold).mean()


def test_several_runs_are_aligned(store: Store, done: list[str]) -> None:
    predictions = from_run(store, done[:2])
    assert predictions.models == tuple(done[:2])
    second = store.predictions(done[1]).set_index("sample_id")["score"]
    assert np.array_equal(predictions.scores[done[1]], second.loc[predictions.sample_id].to_numpy())


def test_one_attribute_or_all(store: Store, done: list[str]) -> None:
    every = tuple(from_run(store, done[0]).attributes)
    assert len(every) > 1
    assert tuple(from_run(store, done[0], every[0]).attributes) == (every[0],)
    with pytest.raises(UserError, match="no attribute 'shoe size'"):
        from_run(store, done[0], "shoe size")


def test_unusable_runs(store: Store) -> None:
    with pytest.raises(UserError, match="there is no run 'none'"):
        from_run(store, "none")
    queued = store.runs(status="queued")["run_id"].tolist()
    assert queued
    with pytest.raises(UserError, match="no test predictions"):
        from_run(store, queued[0])
