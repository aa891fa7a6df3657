"""Differences over draws against a t interval computed elsewhere; which files count."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from core.cli import main
from core.errors import UserError
from core.study.draws import across, read, summarise

BY_DRAW = {101: 0.035, 202: 0.011, 303: 0.052}


def write(folder: Path, name: str, gain: float, label: str = "multifair-plus") -> None:
    rows = [{"label": label, "reference": "erm", "metric": m, "difference": gain * f, "n_seeds": 5} for m, f in (("es_auc", 1), ("auc", -0.1), ("max_gap", 2))]
    pd.DataFrame(rows).to_csv(folder / name, index=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for draw, gain in BY_DRAW.items():
        write(tmp_path, f"study_planted_draw{draw}_differences.csv", gain)
    # Neither the draw of the design, nor another scenario, nor a real cohort.
    for name in ("study_planted_differences.csv", "study_planted_null_draw5_differences.csv", "study_744c9eb7bb8e_differences.csv"):
        write(tmp_path, name, 9.0)
    return tmp_path


def test_only_numbered_draws_of_the_default_scenario_count(folder: Path) -> None:
    assert sorted(set(read(folder)["draw"])) == sorted(BY_DRAW)


def test_interval_is_students_between_draws(folder: Path) -> None:
    table = across(read(folder)).set_index(["label", "metric"])
    one = table.loc[("multifair-plus", "es_auc")]
    low, high = stats.ttest_1samp(list(BY_DRAW.values()), 0).confidence_interval(0.95)
    assert (one.difference, one.low, one.high) == pytest.approx((sum(BY_DRAW.values()) / 3, low, high))
    assert (one.smallest, one.largest, one.draws, one.above) == (0.011, 0.052, 3, 3)
    assert table.loc[("multifair-plus", "auc")].above == 0
    assert "max_gap" not in set(table.reset_index()["metric"])


def test_a_method_of_one_draw_has_no_interval(folder: Path) -> None:
    write(folder, "study_planted_draw404_differences.csv", 0.01, "opm")
    markdown = summarise(folder).markdown
    assert "| opm | erm | 1 | +0.010 [-, -]" in markdown
    assert (folder / "study_planted_draws.md").read_text() == markdown
    assert "| multifair-plus | erm | 3 | +0.033 [" in markdown
    summarise(folder)  # its own tables are no draws


def test_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "draws", "--out", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["metric"] for row in found} == {"es_auc", "auc"}


def test_no_draws(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="multifair study planted --draw"):
        read(tmp_path)
