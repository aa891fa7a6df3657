"""No count below the limit can be read in a suppressed document, nor worked out from the sums that are left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space

from core.audit import AuditOptions, Predictions, audit
from core.audit.comparison.compare_models import with_comparisons
from core.audit.output.schema import audit_schema
from core.cli import main
from core.errors import UserError
from core.report.audit_cohort import NO_VALUE
from core.report.audit_tables import OVERALL
from core.report.document import Report
from core.report.of_audit import audit_report
from core.report.suppression import ALL, scrubbed, suppressed

LIMIT = 11


def predictions(seed: int, n: int = 500, rare: float = 0.02, missing: float = 0.02) -> Predictions:
    rng = np.random.default_rng(seed)
    race = rng.choice(["A", "B", "C", "D"], n, p=[0.6, 0.4 - 3 * rare, 2 * rare, rare]).astype(object)
    race[rng.random(n) < missing] = None
    sex, site = rng.choice(["F", "M"], n, p=[0.55, 0.45]), rng.choice(["x", "y", "z"], n, p=[0.5, 0.4, 0.1])
    y = (rng.random(n) < 0.3).astype(int)
    score = np.clip(rng.normal(0.35 + 0.2 * y, 0.15), 0, 1)
    return Predictions.build(y, {"one": score, "two": np.clip(score + rng.normal(0, 0.05, n), 0, 1)}, {"race": race, "sex": sex, "site": site})


def made(given: Predictions, depth: int = 2) -> dict[str, Any]:
    options = AuditOptions(bootstrap=0, intersections=depth, min_positives=2, min_negatives=2, min_rows=4, curves=True)
    return json.loads(json.dumps(with_comparisons(audit(given, options), given).to_dict()))


class Attacker:
    """Someone who knows the groups and the published counts, and subtracts.

    Every row is of one kind: a group (or none) of each attribute, a label, a decision. A published count is a sum over
    kinds; a count of 0 tells that each of its kinds has no row. What is a combination of published sums is known.
    """

    def __init__(self, given: Predictions, model: str) -> None:
        levels = [(*attribute.names, None) for attribute in given.attributes.values()]
        kinds = list(product(*levels, (True, False), (True, False)))
        self.columns = {name: np.array([kind[i] for kind in kinds], dtype=object) for i, name in enumerate(given.attributes)}
        self.y, self.chosen = (np.array([kind[i] for kind in kinds], dtype=bool) for i in (-2, -1))
        rows = zip(*(attribute.values() for attribute in given.attributes.values()), given.y.astype(bool), given.scores[model] >= 0.5, strict=True)
        tally = Counter(tuple(row) for row in rows)
        self.truth = np.array([tally[kind] for kind in kinds])

    def group(self, attributes: list[str] | None, group: str) -> np.ndarray:
        if attributes is None:
            return np.ones(self.y.size, dtype=bool)
        parts = group.split(" & ") if len(attributes) > 1 else [group]
        return np.logical_and.reduce([self.columns[name] == value for name, value in zip(attributes, parts, strict=True)])

    def cells(self) -> dict[str, np.ndarray]:
        y, c = self.y, self.chosen
        return {"any": np.ones(y.size, dtype=bool), "pos": y, "neg": ~y, "tp": y & c, "fn": y & ~c, "fp": ~y & c, "tn": ~y & ~c}

    def published(self, part: Mapping[str, Any]) -> Iterator[np.ndarray]:
        cells = self.cells()
        shown = {"tpr": cells["tp"], "fpr": cells["fp"], "selection_rate": self.chosen, "accuracy": self.y == self.chosen}
        for attributes, groups in [(None, {"": part["overall"]}), *((v["attributes"], v["groups"]) for v in part["attributes"].values())]:
            for group, numbers in groups.items():
                rows = self.group(attributes, group)
                yield from (rows & cells["pos"], rows & cells["neg"])
                yield from (rows & chosen for metric, chosen in shown.items() if numbers[metric] is not None)
        for values in part["attributes"].values():
            if values["missing"] is not None:
                yield np.logical_or.reduce([self.columns[name] == None for name in values["attributes"]])  # noqa: E711

    def published_by_tables(self, report: Report, model: str) -> Iterator[np.ndarray]:
        """Every count of every table, with the rows that it counts."""
        cells = self.cells()
        kinds = {"n": "any", "n_pos": "pos", "n_neg": "neg", **{name: name for name in ("tp", "fp", "fn", "tn")}}
        for table in report.tables():
            frame = table.frame
            if "group" not in frame.columns or ("model" in frame.columns and table.name == "two_by_two" and not (frame["model"] == model).any()):
                continue
            own = next((name for name in self.columns if table.name.endswith(f"_{name}_{table.name.split('_')[-1]}")), None)
            for row in frame.to_dict("records"):
                attribute = row.get("attribute", own)
                names = None if attribute in (None, OVERALL, ALL) else str(attribute).split(" x ")
                rows = self.rows_of(names, row["group"])
                for column in kinds.keys() & row.keys():
                    if row[column] is None or row[column] != row[column] or (table.name == "two_by_two" and row["model"] != model):
                        continue
                    mask = rows & cells[kinds[column]]
                    assert self.truth[mask].sum() == row[column], (table.name, row)
                    yield mask

    def rows_of(self, names: list[str] | None, group: object) -> np.ndarray:
        if names is not None and group in (OVERALL, ALL):
            return np.logical_and.reduce([self.columns[name] != None for name in names])  # noqa: E711
        if names is not None and (group is None or group != group or group == NO_VALUE):
            return np.logical_or.reduce([self.columns[name] == None for name in names])  # noqa: E711
        return self.group(names, str(group))

    def secrets(self, part: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
        for values in part["attributes"].values():
            rows = {group: self.group(values["attributes"], group) for group in values["groups"]}
            if len(values["attributes"]) == 1:
                rows["(missing)"] = self.columns[values["attributes"][0]] == None  # noqa: E711
            for group, inside in rows.items():
                for name, cell in self.cells().items():
                    if 0 < self.truth[inside & cell].sum() < LIMIT:
                        yield f"{'x'.join(values['attributes'])}={group} {name}", inside & cell

    def recovered(self, shown: Mapping[str, Any], whole: Mapping[str, Any], more: Iterable[np.ndarray] = ()) -> list[str]:
        known = np.array([*self.published(shown), *more])
        empty = (
            np.logical_or.reduce([rows for rows in known if self.truth[rows].sum() == 0], axis=0)
            if any(self.truth[rows].sum() == 0 for rows in known)
            else np.zeros(self.y.size, dtype=bool)
        )
        free = null_space(known[:, ~empty].astype(float))
        return [name for name, rows in self.secrets(whole) if np.abs(rows[~empty].astype(float) @ free).max(initial=0) < 1e-9]


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", [0])
def test_small_counts_cannot_be_recovered_by_differencing(seed: int, depth: int) -> None:
    given = predictions(seed)
    document = made(given, depth)
    found = suppressed(document, LIMIT)
    for model, part in document["models"].items():
        attacker = Attacker(given, model)
        assert attacker.recovered(part, part), "the full document gives them away"
        assert attacker.recovered(found["models"][model], part) == []


@given(st.integers(0, 10_000), st.floats(0.004, 0.08), st.floats(0, 0.05), st.integers(200, 900))
@settings(max_examples=5, deadline=None)
def test_whatever_the_cohort(seed: int, rare: float, missing: float, n: int) -> None:
    given = predictions(seed, n, rare, missing)
    document = made(given)
    found = suppressed(document, LIMIT)
    for model, part in document["models"].items():
        assert Attacker(given, model).recovered(found["models"][model], part) == []


@pytest.mark.parametrize(("rare", "missing", "depth"), [(0.02, 0.02, 2), (0.13, 0.012, 1), (0.13, 0.012, 2), (0.008, 0.2, 1), (0.05, 0.0, 2)])
def test_nor_from_all_tables_of_the_zip_together(rare: float, missing: float, depth: int) -> None:
    """Counts of one table, subtracted from those of another: comparisons and totals beside groups and their missing values."""
    given = predictions(5, 600, rare, missing)
    document = made(given, depth)
    found = suppressed(document, LIMIT)
    report = audit_report(found)
    for model, part in document["models"].items():
        attacker = Attacker(given, model)
        told = list(attacker.published_by_tables(report, model))
        assert len(told) > 10
        assert attacker.recovered(found["models"][model], part, told) == []


def test_primary_alone_would_not_do() -> None:
    """One small group: hiding it alone leaves it to a subtraction, so a second one goes as well."""
    n = 300
    race = np.array(["A"] * 200 + ["B"] * 80 + ["C"] * 20)
    y = np.tile([0, 1, 1], 100)
    y[280:] = [1] * 5 + [0] * 15
    given = Predictions.build(y, np.linspace(0, 1, n), {"race": race})
    found = suppressed(made(given, 1), LIMIT)
    assert set(found["attributes"]["race"]["groups"]) == {"A"} and found["suppression"]["groups"] == ["race = B", "race = C"]


def test_large_groups_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    y = rng.integers(0, 2, n)
    document = made(Predictions.build(y, np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1), {"sex": rng.choice(["F", "M"], n)}), 1)
    found = suppressed(document, LIMIT)
    whole = document["attributes"]["sex"]
    assert found["attributes"]["sex"] == {k: v for k, v in whole.items() if k != "curves"}
    assert found["overall"] == document["overall"] and found["suppression"]["groups"] == []


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for part in value.values() for text in _strings(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in _strings(part))


def test_words_give_nothing_away() -> None:
    document = made(predictions(1))
    found = suppressed(document, LIMIT)
    joined = " ".join(_strings({k: v for k, v in found.items() if k != "provenance"}))
    for count in range(1, LIMIT):
        for word in (f" {count} positives", f" {count} negatives", f" {count} rows", f"({count}+/", f"/{count}-)"):
            assert word not in joined, word
    assert (
        scrubbed("c: 3 positives, 5 are needed; 120 negatives; 1 (8+/3-), 10-19", 11)
        == "c: fewer than 11 positives, 5 are needed; 120 negatives; 1 (fewer than 11+/fewer than 11-), 10-19"
    )


def test_the_report_of_a_suppressed_audit_opens_and_says_so() -> None:
    found = suppressed(made(predictions(2)), LIMIT)
    report = audit_report(found)
    said = " ".join([report.subtitle, *(value for _, value in report.facts), *(note for section in report.sections for note in section.notes)])
    assert f"Counts below {LIMIT}" in said


def test_the_command_writes_a_suppressed_report_that_keeps_to_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(made(predictions(2))))
    assert main(["report", "--audit", str(path), "--suppress", "11", "--format", "json", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "a.json").read_text())["data"]["audit"]
    assert found["suppression"]["below"] == 11
    jsonschema.Draft202012Validator(audit_schema()).validate(found)


def test_limits_that_make_no_sense() -> None:
    document = made(predictions(3))
    with pytest.raises(UserError, match="2 or more"):
        suppressed(document, 1)
    with pytest.raises(UserError, match="nothing can be shown"):
        suppressed(document, 10_000)


def test_a_model_with_few_errors_does_not_tell_how_few() -> None:
    """Everybody's own 2 x 2 table may hold a small cell, and its rates tell it."""
    rng = np.random.default_rng(1)
    y = (rng.random(400) < 0.4).astype(int)
    score = np.clip(0.35 + 0.3 * y + rng.normal(0, 0.05, 400), 0, 1)
    made = Predictions.build(y, {"m": score}, {"g": rng.choice(["a", "b"], 400)})
    document = json.loads(json.dumps(audit(made, AuditOptions(bootstrap=0)).to_dict()))
    cells = document["overall"]["confusion"]
    assert 0 < cells["fn"] < 11
    told = suppressed(document, 11)
    assert told["overall"]["confusion"] is None and told["overall"]["tpr"] is None and told["overall"]["auc"] == document["overall"]["auc"]
    left = [g["confusion"]["fn"] for g in told["attributes"]["g"]["groups"].values() if g["confusion"]]
    assert len(left) < 2 and not any(0 < n < 11 for n in left)
