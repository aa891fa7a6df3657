"""What may be claimed of a cohort's finished runs: one primary family for all of them, wherever a page is opened.

Whoever shows the strongest of R runs by A attributes has looked R times A times. So the family holds the tests of
all finished runs of the cohort by all of its attributes; it does not depend on which runs are ticked on a page, and the p
that a sentence quotes is the same on every page. Runs that judged other samples are audited apart and held in the same family.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from core.audit.engine import audit
from core.audit.inference.claims import Claims
from core.audit.inference.pairwise import PairTest
from core.audit.inference.verdicts import Verdict
from core.audit.result import AttributeAudit, Audit
from core.metrics.estimate import finite_or_none
from core.results.cache import cached_in_store, memoised
from core.results.predictions import from_run, known_attributes
from core.results.run_audits import OPTIONS
from core.store import Store

METRIC = "auc"


def claims(store: Store, cohort_id: str) -> pd.DataFrame:
    """The verdict on the group AUCs of every finished run by every attribute.

    Columns: run_id, attribute, verdict, reason, exceeds (whether the excess over the tolerance is shown, for a disparity),
    p (corrected within the family; missing without a test), gap, group_low, group_high (lowest and highest group), pair
    (the best supported one: a dictionary with difference, low, high (simultaneous), p, group_high, value_high, group_low,
    value_low; None without a test) and tests (how many the family holds).
    """
    runs = list(store.runs(cohort_id, "done", whole=True)["run_id"])
    key = "claims|" + cohort_id
    rows = memoised(
        store,
        ("claims", cohort_id, *(f"{run}@{store.predictions_fingerprint(run)}" for run in runs)),
        lambda: cached_in_store(store, "claims", runs, key, lambda: _rows(store, cohort_id, runs)),
    )
    return pd.DataFrame(rows, columns=["run_id", "attribute", "verdict", "reason", "exceeds", "p", "gap", "group_low", "group_high", "pair", "tests"])


def of_runs(store: Store, cohort_id: str, run_ids: Iterable[str], attribute: str | None = None) -> pd.DataFrame:
    """The rows of `claims` of some runs, in their order, by one attribute (by all where None)."""
    table = claims(store, cohort_id)
    wanted = list(run_ids)
    table = table[table["run_id"].isin(wanted) & (True if attribute is None else table["attribute"] == attribute)]
    return table.sort_values("run_id", key=lambda ids: ids.map({run: place for place, run in enumerate(wanted)}), kind="stable").reset_index(drop=True)


def _rows(store: Store, cohort_id: str, runs: list[str]) -> list[dict[str, Any]]:
    attributes = known_attributes(store, cohort_id)
    if not runs or not attributes:
        return []
    audits = _together(store, runs)
    family = audits[0].claims.family_size
    return [
        {"run_id": model.model, "attribute": attribute.name, **_row(attribute, attribute.claims.verdict(attribute, METRIC)), "tests": family}
        for found in audits
        for model in found.models
        for attribute in model.attributes
    ]


def _together(store: Store, runs: list[str]) -> list[Audit]:
    """Audits of the runs' test rows, those of the same samples in one, all in one family."""
    sets: dict[str, list[str]] = {}
    for run, samples in store.score_vectors(runs, "test")[["run_id", "samples"]].itertuples(index=False):
        sets.setdefault(str(samples), []).append(str(run))
    family = Claims(OPTIONS)
    return [audit(from_run(store, own, None, ("test",)), OPTIONS, claims=family) for own in sets.values()]


def _row(attribute: AttributeAudit, verdict: Verdict) -> dict[str, Any]:
    pair = None if verdict.pair is None else pair_values(attribute, verdict.pair)
    return {
        "verdict": verdict.verdict, "reason": verdict.reason, "exceeds": verdict.exceeds, "p": finite_or_none(verdict.p), "gap": finite_or_none(verdict.gap),
        "group_low": verdict.group_low, "group_high": verdict.group_high, "pair": pair,
    }  # fmt: skip


def pair_values(attribute: AttributeAudit, test: PairTest) -> dict[str, Any]:
    """A pair of groups as JSON, the higher value first, its difference with the simultaneous interval."""
    high, low, sign = (test.group_a, test.group_b, 1) if test.difference > 0 else (test.group_b, test.group_a, -1)
    ends = test.simultaneous
    reach = (None, None) if ends[0] is None or ends[1] is None else sorted((sign * ends[0], sign * ends[1]))
    value = attribute.tables[test.metric].value
    return {
        "difference": abs(test.difference), "low": reach[0], "high": reach[1], "p": finite_or_none(test.p_adjusted),
        "group_high": attribute.groups[high], "value_high": float(value[high]), "group_low": attribute.groups[low], "value_low": float(value[low]),
    }  # fmt: skip
