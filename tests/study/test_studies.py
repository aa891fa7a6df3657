"""STUDIES.md says what the tables hold, and nothing of it is out of date."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.errors import UserError
from core.study.contest import ORACLE
from core.study.short_table import filled
from core.study.studies import document, findings

ROOT = Path(__file__).parents[2]


def test_the_document_is_made_from_the_shipped_tables() -> None:
    assert (ROOT / "STUDIES.md").read_text(encoding="utf-8") == document(ROOT / "sample_data" / "results"), "run: multifair study report"


def test_the_readme_is_short_and_shows_the_shipped_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert filled(text, ROOT / "sample_data" / "results") == text, "run: multifair study report"
    assert len(text.encode()) < 6 * 1024


def test_the_shipped_tables_agree_with_each_other() -> None:
    """The differences are those of the runs, computed here once more."""
    folder = ROOT / "sample_data" / "results"
    runs, told = pd.read_csv(folder / "contest_runs.csv"), pd.read_csv(folder / "contest_differences.csv")
    per_draw = runs.groupby(["scenario", "optimizer", "protocol", "label", "draw"])["es_auc"].mean()
    known = told[told["metric"] == "es_auc"]
    assert len(known) > 10
    for row in known.itertuples():
        own, other = (per_draw.loc[row.scenario, row.optimizer, row.protocol, label] for label in (row.label, row.reference))
        assert row.difference == pytest.approx((own - other).mean(), abs=2e-5)


def test_sentences_by_hand() -> None:
    lines = [
        {"scenario": "s", "optimizer": "adamw", "protocol": p, "draw": d, "label": label, "method": label.split(":")[0] if label != ORACLE else "",
         "es_auc": value + 0.001 * d - (0.02 if p == "b" and label == "multifair-plus" else 0)}
        for p in ("a", "b") for d in (1, 2) for label, value in (("erm", 0.85), ("multifair-plus", 0.90), ("unimodal: b", 0.91), (ORACLE, 0.93))
    ]  # fmt: skip
    differences = pd.DataFrame(
        [
            {
                "scenario": "s",
                "optimizer": "adamw",
                "protocol": p,
                "metric": "es_auc",
                "label": "multifair-plus",
                "reference": "erm",
                "difference": 0.05,
                "p_family": q,
            }
            for p, q in (("a", 0.01), ("b", 0.2))
        ]
    )
    found = findings(pd.DataFrame(lines), differences)
    assert "highest mean ES-AUC unimodal: b (0.911" in found[0] or "highest mean ES-AUC unimodal: b (0.912" in found[0]
    assert "mixed with weights fitted on the test labels 0.93" in found[0]
    assert "differ from erm beyond chance: multifair-plus (+0.050)" in found[1]
    assert "no row is shown to differ" in found[3]
    assert "+0.050 where it may fit on validation and +0.030 where validation only selects" in found[4]


def test_missing_tables_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="multifair study contest"):
        document(tmp_path)
