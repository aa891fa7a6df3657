"""A report of runs for readers outside shows no small count, nor what gives one away."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import null_space

from core.audit import AuditOptions, Predictions, audit
from core.audit.output.document import counts_document
from core.cohort.cohort import load
from core.cohort.composition import split_table
from core.errors import UserError
from core.report import disclosure
from core.report.bundle import render, report_json
from core.report.document import Report
from core.report.of_runs import runs_report
from core.report.runs_cohort import _findings, _withheld
from core.report.runs_disclosure import COUNTS, Disclosure, cells_to_show
from core.results.predictions import from_run
from core.store import Store
from tests.factories import FakeWorkspace, fake_workspace

LIMIT = 11


@pytest.fixture(scope="module")
def rare(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkspace:
    """Of three groups one is rare, and so is a missing value."""
    shares = {"skin": {"light": 0.6, "olive": 0.37, "rare-dark": 0.03}, "sex": {"female": 0.5, "male": 0.5}}
    return fake_workspace(tmp_path_factory.mktemp("rare"), runs=2, patients=600, epochs=3, unsettled=False, attributes=shares)


def hidden(fake: FakeWorkspace, attribute: str, limit: int = LIMIT) -> Report:
    with Store.open(fake.workspace) as store:
        return runs_report(store, fake.run_ids, attribute, suppress=limit)


def test_a_rare_group_is_in_no_table_chart_or_sentence_and_neither_is_what_would_reveal_it(rare: FakeWorkspace) -> None:
    report = hidden(rare, "skin")
    assert "rare-dark" in str(render(hidden(rare, "skin", 0), "json"))
    about = [block for section in report.sections for block in section.blocks if block.name not in ("table_one", "findings")]
    text = json.dumps([report_json(report)["tables"][b.name] for b in about if b.name in report_json(report)["tables"]])
    drawn = json.dumps([part.chart.to_dict() for block in report.charts() for part in block.drawings])
    for name in ("rare-dark", "olive"):
        assert name not in text and name not in drawn, "one group alone would be told by subtraction"
    assert '"light"' in text and "es_auc" not in text and "dpd" not in text
    assert any(label == "Not shown" for label, _ in report.facts) and "not shown, to hide counts below 11" in text
    with zipfile.ZipFile(io.BytesIO(bytes(render(report, "zip")))) as archive:  # type: ignore[arg-type]
        kept = pd.read_parquet(io.BytesIO(archive.read("tables/table_one.parquet")))
    assert not (kept[list(COUNTS)].gt(0) & kept[list(COUNTS)].lt(LIMIT)).to_numpy().any()


def test_no_small_count_of_table_one_can_be_worked_out(rare: FakeWorkspace) -> None:
    cohort = load(rare.workspace, rare.cohort.cohort_id)
    whole = split_table(cohort)
    report = hidden(rare, "skin")
    shown = next(t.frame for t in report.tables() if t.name == "table_one")
    merged = whole.merge(shown, on=["split", "attribute", "group"], suffixes=("", "_shown"))
    assert len(merged) == len(whole)
    secrets = 0
    for count in ("n", "n_pos", "n_neg"):
        for _, part in merged[merged["attribute"].notna()].groupby(["split", "attribute"], sort=False):
            total = merged[(merged["split"] == part["split"].iloc[0]) & merged["attribute"].isna()][f"{count}_shown"]
            rows = [np.eye(len(part))[i] for i, known in enumerate(part[f"{count}_shown"].notna()) if known]
            rows += [np.ones(len(part))] if total.notna().all() else []
            free = np.abs(null_space(np.array(rows))).max(axis=1, initial=0) if rows else np.ones(len(part))
            small = part[count].between(1, LIMIT - 1).to_numpy()
            secrets += int(small.sum())
            assert not (small & (free < 1e-9)).any(), part
    assert secrets > 5, "the whole table gives small counts away"


def test_counts_of_the_test_patients_are_those_that_an_audit_of_the_runs_has(rare: FakeWorkspace) -> None:
    """What one table hides, another must not show: the groups of Table 1's test rows are those of all other tables."""
    report = hidden(rare, "skin")
    table = next(t.frame for t in report.tables() if t.name == "table_one")
    own = table[(table["split"] == "test") & (table["attribute"] == "skin") & table["n"].notna()]
    with Store.open(rare.workspace) as store:
        audited = audit(from_run(store, list(rare.run_ids), "skin"), AuditOptions(bootstrap=0)).to_dict()["attributes"]["skin"]["groups"]
    shown = next(t.frame for t in report.tables() if t.name == "group_auc_table")
    assert set(own["group"]) == set(shown["group"].dropna())
    for row in own.to_dict("records"):
        assert [row[name] for name in COUNTS] == [audited[row["group"]][name] for name in COUNTS]


def test_findings_over_all_splits_do_not_tell_what_one_split_hides() -> None:
    """One rare group beside rows without a value: how many lack one over all splits, less those of the splits that are shown, leaves the group."""
    rows = [["train", None, None, 400, 400, 200, 200], ["train", "skin", "light", 300, 300, 150, 150], ["train", "skin", "dark", 60, 60, 30, 30],
            ["train", "skin", None, 40, 40, 20, 20], ["test", None, None, 100, 100, 50, 50], ["test", "skin", "light", 70, 70, 35, 35],
            ["test", "skin", "dark", 9, 9, 4, 5], ["test", "skin", None, 21, 21, 11, 10], ["test", "sex", "F", 100, 100, 50, 50]]  # fmt: skip
    table = cells_to_show(pd.DataFrame(rows, columns=pd.Index(["split", "attribute", "group", *COUNTS])), Disclosure(LIMIT, frozenset({"dark"})), "skin")
    assert _withheld(table) == {"skin"}
    found = [SimpleNamespace(severity="info", code="c", columns=columns, rows=n, remedy="") for columns, n in ((("skin",), 61), (("sex",), 61), (("sex",), 3))]
    cohort: Any = SimpleNamespace(findings=tuple(found), checks=())
    frame, shown = _findings(cohort, Disclosure(LIMIT), _withheld(table))
    assert frame["rows"].isna().tolist() == [True, False, True] and shown["rows"].tolist() == ["not shown", "61", "fewer than 11"]
    frame, shown = _findings(cohort, Disclosure(), frozenset())
    assert shown["rows"].tolist() == ["61", "61", "3"]


def test_a_small_split_takes_all_counts_along() -> None:
    rows = [["train", None, None, 90, 90, 40, 50], ["test", None, None, 20, 20, 3, 17], ["train", "sex", "F", 90, 90, 40, 50]]
    table = pd.DataFrame(rows, columns=pd.Index(["split", "attribute", "group", *COUNTS]))
    assert cells_to_show(table, Disclosure(LIMIT), "sex")[list(COUNTS)].isna().all(axis=None)
    assert cells_to_show(table, Disclosure(), "sex") is table


def test_limits_that_make_no_sense(rare: FakeWorkspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 or more"):
        hidden(rare, "sex", 1)
    with pytest.raises(UserError, match="nothing can be shown"):
        hidden(rare, "sex", 10_000)


def test_counts_alone_hide_what_the_whole_document_hides() -> None:
    rng = np.random.default_rng(2)
    y, score = rng.integers(0, 2, 400), rng.random(400)
    groups = {"site": rng.choice(["a", "b", "c"], 400, p=[0.7, 0.25, 0.05]), "sex": rng.choice(["F", "M"], 400)}
    found = audit(Predictions.build(y, {"one": score, "two": 1 - score}, groups), AuditOptions(bootstrap=0, intersections=2))
    whole, counts = found.to_dict(), counts_document(found)
    assert [disclosure.hidden(counts, limit) for limit in (2, 11, 40)] == [disclosure.hidden(whole, limit) for limit in (2, 11, 40)]
    assert disclosure.hidden(counts, 11).groups, "something is hidden here"
