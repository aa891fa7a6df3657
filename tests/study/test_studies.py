"""STUDIES.md says what the tables hold, and nothing of it is out of date."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from core.errors import UserError
from core.study.contest_bound import LIMIT, ORACLE
from core.study.programme import planned
from core.study.short_table import filled
from core.study.studies import document, dose_response, findings, where_gains_end

ROOT = Path(__file__).parents[2]


def test_the_document_is_made_from_the_shipped_tables() -> None:
    assert (ROOT / "STUDIES.md").read_text(encoding="utf-8") == document(ROOT / "sample_data" / "results"), "run: multifair study report"


def test_the_readme_is_short_and_shows_the_shipped_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert filled(text, ROOT / "sample_data" / "results") == text, "run: multifair study report"
    assert len(text.encode()) < 6 * 1024


SHIPPED = [one.contest.stem for one in planned() if (ROOT / "sample_data" / "results" / f"{one.contest.stem}_runs.csv").is_file()]


@pytest.mark.parametrize("stem", SHIPPED)
def test_the_shipped_tables_agree_with_each_other(stem: str) -> None:
    """The differences are those of the runs, computed here once more."""
    folder = ROOT / "sample_data" / "results"
    runs, told = pd.read_csv(folder / f"{stem}_runs.csv"), pd.read_csv(folder / f"{stem}_differences.csv")
    per_draw = runs.groupby(["scenario", "optimizer", "protocol", "label", "draw"])["es_auc"].mean()
    known = told[told["metric"] == "es_auc"]
    assert len(known) >= 4
    for row in known.itertuples():
        own, other = (per_draw.loc[row.scenario, row.optimizer, row.protocol, label] for label in (row.label, row.reference))
        assert row.difference == pytest.approx((own - other).mean(), abs=2e-5)


def runs_by_hand() -> pd.DataFrame:
    values = (("erm", "erm", 0.85), ("multifair-plus", "multifair-plus", 0.90), ("unimodal: b", "unimodal", 0.91), (ORACLE, None, 0.93), (LIMIT, None, 0.95))
    lines = [
        {"scenario": "s", "optimizer": "adamw", "protocol": p, "draw": d, "label": label,
         "method": method, "auc": 0.96, "worst_group_auc": 0.9, "max_gap": 0.05,
         "es_auc": value + 0.001 * d - (0.02 if p == "b" and label == "multifair-plus" else 0)}
        for p in ("a", "b") for d in (1, 2) for label, method, value in values
    ]  # fmt: skip
    return pd.DataFrame(lines)


def differences_by_hand() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"scenario": "s", "optimizer": "adamw", "protocol": p, "metric": "es_auc", "label": "multifair-plus", "reference": "erm",
             "difference": 0.05, "low": 0.04, "high": 0.06, "p_family": q}
            for p, q in (("a", 0.01), ("b", 0.2))
        ]
    )  # fmt: skip


def test_sentences_by_hand() -> None:
    found = findings(runs_by_hand(), differences_by_hand())
    assert "highest mean ES-AUC unimodal: b (0.911" in found[0] or "highest mean ES-AUC unimodal: b (0.912" in found[0]
    assert "mixed with weights fitted on the test labels 0.93" in found[0]
    assert "differ from erm beyond chance: multifair-plus (+0.050)" in found[1]
    assert "no row is shown to differ" in found[3]
    assert "+0.050 where it may fit on validation and +0.030 where validation only selects" in found[4]
    told = findings(runs_by_hand(), differences_by_hand(), "multifair-plus")
    assert told[2] == "  multifair-plus minus erm +0.050 [+0.040, +0.060]."


def test_one_draw_orders_nothing() -> None:
    runs = runs_by_hand()
    assert "no order of methods is claimed" in findings(runs[runs.draw == 1], differences_by_hand())[1]


def held_by_hand(runs: pd.DataFrame) -> SimpleNamespace:
    return SimpleNamespace(planned=SimpleNamespace(title="T"), runs=runs, differences=differences_by_hand())


def test_where_gains_end_by_hand() -> None:
    text = where_gains_end([held_by_hand(runs_by_hand())])
    assert "| T | s, adamw, a | 0.852 | multifair-plus 0.901 | b 0.911 | 0.931 | 0.952 | +0.050 |" in text or "+0.050 |" in text
    assert "| T | s, adamw, b |" in text and "+0.070 |" in text
    assert "s, adamw" not in where_gains_end([held_by_hand(runs_by_hand().query("label != @LIMIT"))])


def test_gains_by_strength_by_hand() -> None:
    runs = runs_by_hand().query("protocol == 'b'")
    weak = runs.assign(scenario="s@0.5", es_auc=runs["es_auc"] + [0.02 if label == "erm" else 0.0 for label in runs["label"]])
    text = dose_response([held_by_hand(pd.concat([weak, runs]))])
    assert "| method | strength 0.5 | strength 1 |" in text and "| multifair-plus | +0.010 | +0.030 |" in text
    assert dose_response([held_by_hand(runs)]) == ""


def test_missing_tables_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="multifair study contest"):
        document(tmp_path)
