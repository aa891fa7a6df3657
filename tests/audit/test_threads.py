"""The same seed gives the same audit on 1, 2 and 4 threads, with and without repeated patients."""

from __future__ import annotations

from typing import Any

import pytest

import core.metrics.draws as draws_module
from core.audit import AuditOptions, audit
from tests.audit.cohorts import simulated


@pytest.mark.parametrize("images", [1, 2])
def test_threads_do_not_change_an_audit(monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    monkeypatch.setattr(draws_module, "CHUNK_ELEMENTS", 5_000)  # many chunks, so that threads do interleave
    cohort = simulated({"a": 90, "b": 70, "c": 40}, {"a": 0.9, "b": 0.8, "c": 0.7}, images=images)
    options = AuditOptions(bootstrap=100, seed=5)
    answers: list[dict[str, Any]] = []
    for workers in (1, 2, 4):
        monkeypatch.setattr(draws_module, "default_workers", lambda count=workers: count)
        answers.append(audit(cohort, options).to_dict() | {"provenance": None})  # holds the time
    assert answers[0] == answers[1] == answers[2]
    attribute = answers[0]["attributes"]["group"]
    assert attribute["summaries"]["max_gap"]["ci"] is not None and attribute["summaries"]["dpd"]["p_null"] is not None
