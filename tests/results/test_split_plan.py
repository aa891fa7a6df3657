"""What splits allow to be found before training: by the audit's own power, with advice that fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cohort.ingest import ingest
from core.errors import UserError
from core.metrics.auc import auc
from core.results.split_plan import _scores, plan_sentences, split_plan
from core.workspace import Workspace
from tests.cohort.helpers import plain_columns, roles


def cohort(workspace: Workspace, folder: Path, n: int, **changes):
    folder.mkdir()
    columns = plain_columns(n)
    columns["sex"] = ["other" if i < 12 else ("female", "male")[(i // 2) % 2] for i in range(n)]
    pd.DataFrame(columns).to_csv(folder / "cohort.csv", index=False)
    return ingest(workspace, folder / "cohort.csv", roles=roles(**changes))


def test_the_assumed_scores_have_the_assumed_auc():
    y = (np.arange(400) % 4 == 0).astype(np.int8)
    assert auc(y, _scores(y, 0.85)) == pytest.approx(0.85, abs=0.01)


def test_more_patients_find_smaller_gaps_and_a_group_without_them_gets_advice(tmp_path: Path, workspace: Workspace):
    small, large = (split_plan(cohort(workspace, tmp_path / str(n), n, folds=5)).set_index(["part", "group"]) for n in (400, 4000))
    assert large.loc[("test", "female"), "detectable"] < small.loc[("test", "female"), "detectable"]
    assert small.loc[("all folds", "female"), "detectable"] < small.loc[("test", "female"), "detectable"]
    other = small.loc[("test", "other")]
    assert not other["judged"] and pd.isna(other["detectable"])
    assert "merge it with another group" in other["advice"]
    assert small.loc[("test", "female"), "n_pos"] + small.loc[("test", "female"), "n_neg"] == small.loc[("test", "female"), "n"]
    said = plan_sentences(small.reset_index(), "sex")
    assert any("In the test split, nothing can be said about other" in s for s in said) and any(s.startswith("Over all folds, an AUC gap from") for s in said)


def test_without_groups_or_with_an_impossible_auc_it_is_refused(tmp_path: Path, workspace: Workspace):
    data = cohort(workspace, tmp_path / "a", 200)
    with pytest.raises(UserError, match=r"between \.5 and 1"):
        split_plan(data, assumed_auc=0.4)
    assert set(split_plan(data)["part"]) == {"validation", "test"}
    with pytest.raises(UserError, match="no sensitive attribute"):
        split_plan(cohort(workspace, tmp_path / "b", 200, attributes=()))
