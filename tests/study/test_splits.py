"""Repeated divisions: the corrected interval by hand, and that every division is another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from core.cohort.planted import simulate
from core.errors import UserError
from core.study import splits
from core.study.runner import METRICS, Outcome, Runner
from core.study.splits import Repeated, compared, corrected, markdown
from core.workspace import Workspace


def test_the_corrected_interval_by_hand() -> None:
    values, ratio = np.array([0.02, 0.05, -0.01, 0.04]), 1 / 3
    error = values.std(ddof=1) * np.sqrt(1 / 4 + ratio)
    found = corrected(values, ratio)
    assert found["difference"] == pytest.approx(0.025)
    assert (found["low"], found["high"]) == pytest.approx(t(3, 0.025, error).interval(0.95))
    assert found["p"] == pytest.approx(2 * t(3).sf(0.025 / error))
    # Without shared patients it is the usual test.
    assert corrected(values, 0.0)["high"] - 0.025 == pytest.approx(t(3).ppf(0.975) * values.std(ddof=1) / 2)


def test_what_cannot_be_estimated_is_not() -> None:
    assert np.isnan(corrected([0.1, np.nan], 0.3)["p"]) and corrected([0.1, np.nan], 0.3)["difference"] == pytest.approx(0.1)
    assert np.isnan(corrected([0.1, 0.1], 0.3)["low"]) and np.isnan(corrected([], 0.3)["difference"])


def by_hand() -> pd.DataFrame:
    lines = [
        {"division": d, "label": label, "attribute": "sex", "test": 90 + d, **{metric: value + 0.01 * d * (label == "erm") for metric in METRICS}}
        for d in range(3)
        for label, value in (("erm", 0.8), ("multifair-plus", 0.85))
    ]
    return pd.DataFrame(lines)


def test_the_table_for_people_by_hand() -> None:
    table = compared(by_hand(), 0.5)
    (line,) = table[table["metric"] == "es_auc"].to_dict("records")
    assert line["difference"] == pytest.approx(0.04) and line["divisions"] == 3
    expected = corrected([0.05, 0.04, 0.03], 0.5)
    assert line["p"] == pytest.approx(expected["p"]) == pytest.approx(line["p_family"])
    text = markdown("Clinic", "quick", by_hand(), table)
    assert "divided anew 3 times" in text and "90 to 92 test samples" in text
    assert f"| +0.040 [{expected['low']:+.3f}, {expected['high']:+.3f}] | {expected['p']:.2f} |" in text


def test_every_division_is_another_one_and_keeps_patients_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(tmp_path / "clinic", 120, 1)
    seen: list[tuple[int, tuple[int, ...]]] = []

    def outcome(self: Runner, entry, seed: int, chosen) -> Outcome:
        seen.append((seed, tuple(self.cohort.rows("test"))))
        patients = self.cohort.table["patient_id"]
        assert not set(patients.iloc[self.cohort.rows("test")]) & set(patients.iloc[self.cohort.rows("train")])
        return Outcome(entry, seed, chosen, self.cohort.y + 0.3 * np.random.default_rng(seed).normal(size=len(self.cohort.y)), 0.0, 0)

    monkeypatch.setattr(Runner, "outcome", outcome)
    splits.run(Workspace.open(tmp_path / "home"), Repeated(tmp_path / "clinic", ("erm", "joint"), 3), tmp_path / "out", lambda text: None)
    assert len(set(seen)) == 3 and len({rows for _, rows in seen}) == 3
    assert len(pd.read_csv(tmp_path / "out" / "splits_runs.csv")) == 6
    assert (tmp_path / "out" / "splits.md").is_file()


@pytest.mark.parametrize(("wrong", "said"), [({"methods": ("nope",)}, "known: "), ({"splits": 1}, "at least 2")])
def test_bad_questions_name_what_there_is(wrong: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        Repeated(**{"source": tmp_path, "methods": ("erm",), **wrong})
