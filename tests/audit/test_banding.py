"""Numeric attributes become bands; too many groups are refused with the way out; output grows with groups, not pairs."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audit import AuditOptions, Predictions, audit
from core.audit.comparison.compare_models import compare
from core.audit.estimates.group_estimates import MetricTable
from core.audit.inference.pairwise import MAX_PAIRED_GROUPS, compared_pairs
from core.audit.input.banding import MAX_GROUPS, band_labels, banded, numbers, quantile_edges
from core.errors import UserError
from tests.audit.cohorts import simulated

PLAIN = AuditOptions(bootstrap=0)


def predictions(values: object, name: str = "age", seed: int = 0) -> Predictions:
    column = np.asarray(values, dtype=object)
    rng = np.random.default_rng(seed)
    return Predictions.build(rng.integers(0, 2, column.size), rng.random(column.size), {name: column}, source="p.csv")


def test_bands_hold_the_values_that_pandas_puts_there() -> None:
    ages = np.random.default_rng(1).integers(0, 95, 500)
    found = banded(predictions(ages), AuditOptions(bands={"age": (18.0, 40.0, 65.0)})).attributes["age"]
    wanted = pd.cut(ages, [-np.inf, 18, 40, 65, np.inf], right=False, labels=["<18", "18 to <40", "40 to <65", "65+"])
    assert found.names == ("<18", "18 to <40", "40 to <65", "65+")
    assert found.values().tolist() == list(wanted)
    assert found.edges == (18.0, 40.0, 65.0)


def test_quartiles_by_default_and_said() -> None:
    values = np.random.default_rng(2).normal(50, 10, 4000)
    result = audit(predictions(values, "weight"), PLAIN)
    found = result.to_dict()["attributes"]["weight"]
    assert found["bands"] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]), abs=0.06)
    assert [group["n"] for group in found["groups"].values()] == pytest.approx([1000] * 4, abs=12)
    finding = next(f for f in result.findings if f.code == "banded")
    assert all(label in finding.message for label in found["groups"]) and "--bins 'weight=" in finding.remedy


def test_ten_values_stay_single_and_eleven_do_not() -> None:
    ten = banded(predictions(np.tile(np.arange(10) + 1, 20)), AuditOptions()).attributes["age"]
    assert ten.names == tuple(str(i) for i in range(1, 11)), "in the order of the numbers, not of their letters"
    assert ten.values()[:10].tolist() == [str(i) for i in range(1, 11)]
    eleven = banded(predictions(np.tile(np.arange(11), 20)), AuditOptions()).attributes["age"]
    assert 2 <= len(eleven.names) <= 4 and eleven.names[0].startswith("<")


def test_banding_twice_is_banding_once() -> None:
    once = banded(predictions(np.arange(300) % 80), AuditOptions())
    assert banded(once, AuditOptions()).attributes["age"] is once.attributes["age"]
    assert len(banded(once, AuditOptions()).findings) == len(once.findings) == 1


@given(st.lists(st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6, allow_nan=False)), min_size=2, max_size=200).filter(lambda v: len(set(v)) > 1))
@settings(max_examples=200, deadline=None)
def test_quantile_edges_part_any_values(values: list[float]) -> None:
    edges = quantile_edges(np.array(values, dtype=np.float64))
    assert 1 <= len(edges) <= 3 and list(edges) == sorted(set(edges))
    assert min(values) < edges[0] and edges[-1] <= max(values)
    assert len(set(band_labels(edges))) == len(edges) + 1


def test_limits_count_as_just_beyond_them() -> None:
    column = [*map(str, range(60, 90)), "> 89", "90+", "<60"]
    found = banded(predictions(column * 3), AuditOptions(bands={"age": (60.0, 89.0, 90.0)})).attributes["age"]
    groups = dict(zip(column, found.values(), strict=False))
    assert (groups["<60"], groups["> 89"], groups["90+"], groups["89"]) == ("<60", "89 to <90", "90+", "89 to <90")
    assert numbers(["> 89", "75"]) is not None and numbers(["F", "75"]) is None and numbers(["0123", "75"]) is None


def test_missing_values_stay_missing() -> None:
    found = banded(predictions([*range(50), None, float("nan")]), AuditOptions()).attributes["age"]
    assert found.n_missing == 2 and found.codes[-1] == -1


@pytest.mark.parametrize(
    ("name", "values", "advice"),
    [
        ("patient_id", [f"P{i:05d}" for i in range(2000)], "identifiers"),
        ("record", np.arange(2000), "identifiers"),
        ("postcode", np.arange(2000) % 500 + 10_000, "postcodes"),
        ("zip", [f"{i % 500:05d}" for i in range(2000)], "postcodes"),
        ("visit", [f"2024-{i % 12 + 1:02d}-{i // 12 % 28 + 1:02d} 08:00" for i in range(2000)], "dates"),
        ("exam", [20_200_101 + 100 * (i % 12) + i // 12 % 28 for i in range(2000)], "dates"),
        ("exam", [20_200_101 + 10_000 * (i // 31 % 20) + 200 * (i % 31 == 30) + i % 31 for i in range(2000)], "dates"),
        ("country", [f"c{i % 150}" for i in range(2000)], "merge rare values"),
    ],
)
def test_columns_that_are_no_groups_are_refused_with_the_way_out(name: str, values: object, advice: str) -> None:
    with pytest.raises(UserError, match=f"the attribute '{name}' has .* different values") as refused:
        audit(predictions(values, name), PLAIN)
    assert advice in str(refused.value) and "\n" not in str(refused.value)


def test_a_measure_with_another_value_in_every_row_is_banded_with_a_warning() -> None:
    codes = {f.code for f in audit(predictions(np.arange(2000), "volume"), PLAIN).findings}
    assert {"banded", "looks_like_id"} <= codes
    codes = {f.code for f in audit(predictions(np.random.default_rng(0).random(2000), "volume"), PLAIN).findings}
    assert "banded" in codes and "looks_like_id" not in codes


def test_as_many_groups_as_allowed_pass() -> None:
    assert len(banded(predictions([f"c{i % MAX_GROUPS}" for i in range(1000)]), AuditOptions()).attributes["age"].names) == MAX_GROUPS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (AuditOptions(bands={"agee": (18.0,)}), "'agee', which is not an attribute"),
        (AuditOptions(bands={"sex": (18.0,)}), "holds 'F': only numbers"),
        (AuditOptions(primary_attributes=("race",)), "primary attribute 'race'"),
        (AuditOptions(reference={"sex": "X"}), "reference 'X' is not a group of 'sex'; there are F, M"),
        (AuditOptions(reference={"race": "X"}), "reference attribute 'race'"),
    ],
)
def test_names_that_do_not_exist(options: AuditOptions, message: str) -> None:
    with pytest.raises(UserError, match=message):
        audit(predictions(["F", "M"] * 50, "sex"), options)


def test_bands_reach_intersections_comparisons_and_both_splits() -> None:
    rng = np.random.default_rng(3)
    n = 1200
    y, age, sex = rng.integers(0, 2, n), rng.integers(20, 90, n), rng.choice(["F", "M"], n)
    given = Predictions.build(y, {"a": rng.random(n), "b": rng.random(n)}, {"age": age, "sex": sex}, split=np.tile(["validation", "test"], n // 2))
    options = AuditOptions(bootstrap=0, intersections=2, bands={"age": (50.0,)})
    found = audit(given, options).to_dict()["attributes"]
    assert list(found["age"]["groups"]) == ["<50", "50+"]
    assert set(found["age x sex"]["groups"]) == {"<50 & F", "<50 & M", "50+ & F", "50+ & M"}
    compared = compare(given, "b", "a", options)
    assert {row.group for row in compared.rows if row.attribute == "age"} >= {"<50", "50+"}


def table(values: np.ndarray, metric: str = "auc") -> MetricTable:
    se = np.full(values.size, 0.01)
    return MetricTable(metric, values, values - 0.02, values + 0.02, se, np.ones(values.size, dtype=bool), (None,) * values.size, "test")


def listed(found: tuple[np.ndarray, np.ndarray]) -> tuple[list[tuple[int, ...]], int]:
    """The pairs that are shown, and how many are compared."""
    pairs, shown = found
    return [tuple(sorted(pair)) for pair in pairs[shown].tolist()], pairs.shape[0]


def test_all_pairs_up_to_the_limit_then_against_the_best_or_the_reference() -> None:
    few, many = np.linspace(0.6, 0.9, MAX_PAIRED_GROUPS), np.linspace(0.6, 0.9, MAX_PAIRED_GROUPS + 1)
    assert listed(compared_pairs(table(few))) == (list(combinations(range(12), 2)), 66)
    assert listed(compared_pairs(table(many))) == ([(g, 12) for g in range(12)], 78)
    assert listed(compared_pairs(table(many, "fpr"))) == ([(0, g) for g in range(1, 13)], 78)
    assert listed(compared_pairs(table(many), 5)) == ([tuple(sorted((g, 5))) for g in range(13) if g != 5], 12)


def test_the_choice_of_the_best_is_paid_for() -> None:
    """Of 78 pairs 12 are shown, and all 78 are corrected for; a group named beforehand costs 12 and no more."""
    cohort = simulated({f"g{i:02d}": 60 for i in range(13)}, 0.8)
    chosen = audit(cohort, PLAIN)
    fixed = audit(cohort, AuditOptions(bootstrap=0, reference={"group": "g00"}))
    for found, compared in ((chosen, 78), (fixed, 12)):
        shown = [test for test in found.models[0].attributes[0].tests if test.metric == "auc"]
        assert len(shown) == 12 and found.claims.family_size == compared


def test_the_document_grows_with_the_groups_and_not_with_their_pairs() -> None:
    def size(count: int) -> int:
        return len(json.dumps(audit(simulated({f"g{i:02d}": 100 for i in range(count)}), PLAIN).to_dict()))

    twenty, forty, eighty = size(20), size(40), size(80)
    assert eighty - forty == pytest.approx(2 * (forty - twenty), rel=0.05)
    result = audit(simulated({f"g{i:02d}": 40 for i in range(20)}), PLAIN)
    assert "many_groups" in {f.code for f in result.findings}
    assert "many_groups" not in {f.code for f in audit(simulated({f"g{i:02d}": 40 for i in range(12)}), PLAIN).findings}
