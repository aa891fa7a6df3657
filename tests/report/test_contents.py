"""What a report of an audit says first, of whom it speaks, how it decides and what it cannot say, against counts made here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.report import audit_cohort, contents
from core.report.of_audit import audit_report
from core.report.suppression import suppressed

N = 600
RNG = np.random.default_rng(5)
SEX = np.where(RNG.random(N) < 0.5, "F", "M").astype(object)
SEX[:20] = None
Y = (RNG.random(N) < 0.4).astype(int)
SCORE = np.clip(0.3 + 0.3 * Y * np.where(SEX == "F", 1.0, 0.1) + RNG.normal(0, 0.15, N), 0, 1)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    given = Predictions.build(Y, {"m": SCORE}, {"sex": SEX})
    return dict(json.loads(json.dumps(audit(given, AuditOptions(bootstrap=0, curves=True)).to_dict())))


def test_the_sections_are_those_that_were_told_and_the_summary_is_first(document: dict[str, Any]) -> None:
    report = audit_report(document)
    assert tuple(s.title for s in report.sections) == contents.audit_contents(document)
    assert [s.first for s in report.sections] == [True, *([False] * (len(report.sections) - 1))]


def test_the_summary_puts_the_strongest_evidence_first(document: dict[str, Any]) -> None:
    summary = audit_report(document).sections[0]
    assert summary.sentence.startswith("By sex: AUC is ") and summary.tag == "disparity"
    verdicts = next(b for b in summary.blocks if b.name == "summary_verdicts").frame
    first = verdicts.iloc[0]
    assert (first["verdict"], first["metric"], first["primary"]) == ("disparity", "auc", True)
    kinds = list(verdicts["verdict"])
    assert kinds == sorted(kinds, key=["disparity", "no disparity found"].index)


def test_table_one_counts_rows_and_missing_values(document: dict[str, Any]) -> None:
    table = audit_cohort.groups_table(document).set_index("group")
    assert table.loc["F", ["n", "n_pos"]].tolist() == [int((SEX == "F").sum()), int(Y[SEX == "F"].sum())]
    assert table.loc[audit_cohort.NO_VALUE, "n"] == 20
    assert table.loc["(all)", "n"] == N


def test_two_by_two_tables_are_counts_of_rows(document: dict[str, Any]) -> None:
    cells = audit_cohort.cells_table(document).set_index("group")
    chosen = SCORE >= 0.5
    for group, inside in (("(all)", np.ones(N, dtype=bool)), ("F", SEX == "F"), ("M", SEX == "M")):
        wanted = [int((inside & chosen & (Y == 1)).sum()), int((inside & chosen & (Y == 0)).sum()), int((inside & ~chosen & (Y == 1)).sum())]
        assert cells.loc[group, ["tp", "fp", "fn"]].tolist() == wanted
    assert (cells[["tp", "fp", "fn", "tn"]].sum(axis=1).loc[["F", "M"]].sum()) == N - 20


def test_score_bins_hold_every_row_of_a_group(document: dict[str, Any]) -> None:
    rows = document["attributes"]["sex"]["curves"]["scores"]
    for group in ("F", "M"):
        for outcome in (0, 1):
            own = [row for row in rows if (row["group"], row["outcome"]) == (group, outcome)]
            assert sum(row["n"] for row in own) == int(((group == SEX) & (outcome == Y)).sum())
            assert sum(row["share"] for row in own) == pytest.approx(1)


def test_limits_name_the_missing_values_and_the_exploratory_verdicts(document: dict[str, Any]) -> None:
    limits = dict(audit_cohort.limits_section(document).blocks[0].display.to_numpy().tolist())
    assert "sex (20)" in limits["Missing attributes"]
    verdicts = [metric for metric in document["attributes"]["sex"]["verdicts"] if metric != "ece"]
    assert f"1 of {len(verdicts)} verdicts" in limits["Many questions"]


def test_hidden_rates_hide_their_tables(document: dict[str, Any]) -> None:
    cells = document["models"]["m"]["attributes"]["sex"]["groups"]["F"]["confusion"]
    least = min(v for v in cells.values() if v)
    hidden = suppressed(document, least + 1)
    groups = hidden["attributes"]["sex"]["groups"]
    assert "F" not in groups or groups["F"]["confusion"] is None
    assert str(hidden["suppression"]["note"]) in audit_cohort.limits_section(hidden).blocks[0].display["limit"].tolist()
