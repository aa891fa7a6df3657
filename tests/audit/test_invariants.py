"""What must not change an audit, and what must change it in a known way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audit import AuditOptions, Predictions, audit

PLAIN = AuditOptions(bootstrap=0, threshold=0.5)
ALL_GROUPS = ("es_auc", "max_gap", "dpd", "deodds")
METRICS = ("auc", "tpr", "fpr", "ppv", "selection_rate", "accuracy", "brier", "ece", "average_precision")


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(12, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.integers(0, 2, n)
    score = np.round(rng.random(n), draw(st.integers(1, 6)))
    return y, score, rng.choice(["a", "b", "c"], n)


def values(y: Any, score: Any, group: Any, **more: Any) -> dict[str, dict[str, float | None]]:
    found = audit(Predictions.build(y, score, {"g": group}, **more), PLAIN).to_dict()["attributes"]["g"]
    result = {name: {m: row[m] for m in METRICS} for name, row in found["groups"].items()}
    result["summaries"] = {m: found[m] for m in ALL_GROUPS}
    return result


def of_groups(found: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    """Without the summaries, which groups join as their counts grow."""
    return {name: row for name, row in found.items() if name != "summaries"}


def same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        for metric, value in left[name].items():
            assert right[name][metric] == (None if value is None else pytest.approx(value, abs=1e-9)), (name, metric)


@settings(max_examples=25, deadline=None)
@given(tables(), st.integers(0, 1000))
def test_row_order_does_not_matter(table: tuple[np.ndarray, ...], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(table[0].size)
    same(values(*table), values(*(column[order] for column in table)))


@settings(max_examples=25, deadline=None)
@given(tables())
def test_group_names_do_not_matter(table: tuple[np.ndarray, ...]) -> None:
    y, score, group = table
    names = {"a": "z", "b": "y", "c": "x"}
    renamed = values(y, score, np.array([names[g] for g in group]))
    same({names.get(k, k): v for k, v in values(*table).items()}, renamed)


@settings(max_examples=25, deadline=None)
@given(tables())
def test_monotone_transforms_keep_the_auc(table: tuple[np.ndarray, ...]) -> None:
    y, score, group = table
    before, after = values(*table), values(y, np.exp(3 * score), group)
    for name in before:
        for metric in {"auc", "average_precision", "es_auc", "max_gap"} & before[name].keys():
            assert after[name][metric] == (None if before[name][metric] is None else pytest.approx(before[name][metric]))


@settings(max_examples=25, deadline=None)
@given(tables())
def test_doubled_rows_keep_every_value(table: tuple[np.ndarray, ...]) -> None:
    same(of_groups(values(*table)), of_groups(values(*(np.tile(column, 2) for column in table))))


@settings(max_examples=25, deadline=None)
@given(tables(), st.integers(0, 1000))
def test_weights_are_repetition(table: tuple[np.ndarray, ...], seed: int) -> None:
    weight = np.random.default_rng(seed).integers(1, 4, table[0].size)
    same(of_groups(values(*(np.repeat(column, weight) for column in table))), of_groups(values(*table, weights=weight)))


@settings(max_examples=15, deadline=None)
@given(tables())
def test_one_row_per_patient_is_no_patient(table: tuple[np.ndarray, ...]) -> None:
    plain = audit(Predictions.build(table[0], table[1], {"g": table[2]}), PLAIN)
    patients = audit(Predictions.build(table[0], table[1], {"g": table[2]}, patient=np.arange(table[0].size)), PLAIN)
    assert plain.to_dict()["attributes"] == patients.to_dict()["attributes"]


def test_repeated_patients_widen_intervals() -> None:
    """Every patient three times: no information more than once, so the interval must be as wide as that of once."""
    from tests.audit.cohorts import simulated

    once, thrice = (audit(simulated({"a": 200, "b": 200}, images=k), PLAIN).models[0].attributes[0].tables for k in (1, 3))
    for metric in ("auc", "tpr", "brier"):
        assert thrice[metric].se == pytest.approx(once[metric].se, rel=0.03), metric


def test_same_seed_same_answer() -> None:
    from tests.audit.cohorts import simulated

    options = AuditOptions(bootstrap=200, seed=3)
    first, second = (audit(simulated({"a": 80, "b": 60}), options).to_dict() for _ in range(2))
    for found in (first, second):
        found["provenance"].pop("date")
    assert first == second
    other = audit(simulated({"a": 80, "b": 60}), AuditOptions(bootstrap=200, seed=4)).to_dict()
    assert first["attributes"] != other["attributes"]


def test_corrected_claims_are_the_same_in_any_order_of_rows_models_and_attributes() -> None:
    """Their correction is simulated: with a basis of eigenvectors, or members in the order of arrival, limits moved by .003 from one process to the next."""
    rng = np.random.default_rng(5)
    n = 300
    y, first = rng.integers(0, 2, n), rng.random(n)
    scores = {"b": first, "a": np.clip(first + rng.normal(0, 0.2, n), 0, 1), "c": rng.random(n)}
    attributes = {"sex": rng.choice(["f", "m"], n), "age": rng.choice(["x", "y", "z", "w"], n)}

    def claimed(rows: np.ndarray, turned: bool) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        models, names = (list(reversed(scores)), list(reversed(attributes))) if turned else (list(scores), list(attributes))
        found = audit(Predictions.build(y[rows], {m: scores[m][rows] for m in models}, {a: attributes[a][rows] for a in names}), PLAIN)
        tests = {(m.model, a.name, t.metric, t.group_a, t.group_b): t for m in found.models for a in m.attributes for t in a.claims.of(a, "auc")}
        return {key: (t.p_adjusted, *t.simultaneous) for key, t in tests.items()}

    usual, other = claimed(np.arange(n), False), claimed(rng.permutation(n), True)
    assert len(usual) == 21 and usual.keys() == other.keys()
    for key, numbers in usual.items():
        assert other[key] == pytest.approx(numbers, abs=1e-9), key
