"""A finished run in a few numbers: its test split, by the groups of one attribute."""

from __future__ import annotations

from typing import Any

from core.metrics.estimate import finite_or_none
from core.results.cache import cached_in_store
from core.results.predictions import cohort_of
from core.results.run_audits import run_audit
from core.store import Store

SUMMARIES = ("es_auc", "worst_group_auc", "max_gap", "dpd", "deodds")


def test_summary(store: Store, run_id: str, attribute: str | None = None) -> dict[str, Any]:
    """AUC, ES-AUC, worst-group AUC, gap, DPD and DEOdds on the test split: the audit's, from the store or computed now.

    `attribute` defaults to the one that the run was trained with. Keys: auc, es_auc, worst_group_auc, max_gap, dpd, deodds,
    group_auc {group: value}, without (the groups that summaries leave out, with their counts), threshold (null where
    the method fitted a decision of its own), n, n_pos, not_estimable {group: reason}. What is undefined, or rests on
    too few samples, is null. Raises KeyError for an unknown run.
    """
    chosen = attribute or store.folder(run_id).read_spec()["spec"]["attribute"]
    value = cached_in_store(store, "test-summary", [run_id], f"{cohort_of(store, run_id)}|{chosen or ''}", lambda: _summary(store, run_id, chosen))
    assert isinstance(value, dict)
    return value


test_summary.__test__ = False  # type: ignore[attr-defined]  # a summary of the test split, not a test


def _summary(store: Store, run_id: str, attribute: str | None) -> dict[str, Any]:
    model = run_audit(store, run_id, attribute)
    found: dict[str, Any] = {
        "auc": finite_or_none(model.tables["auc"].judged_values[0]),
        **dict.fromkeys(SUMMARIES),
        "group_auc": {},
        "without": None,
        "not_estimable": {},
    }
    if attribute is not None:
        own = model.attribute(attribute)
        found |= {s.metric: finite_or_none(s.value) for s in own.point_summaries if s.metric in SUMMARIES}
        table = own.tables["auc"]
        found["group_auc"] = {group: finite_or_none(value) for group, value in zip(own.groups, table.judged_values, strict=True)}
        found["not_estimable"] = {group: reason for group, reason in zip(own.groups, table.reason, strict=True) if reason is not None}
        found["without"] = next(s.left_out for s in own.point_summaries if s.metric == "es_auc")
    return found | {"threshold": model.point.threshold, "n": int(model.counts.n[0]), "n_pos": int(model.counts.n_pos[0])}
