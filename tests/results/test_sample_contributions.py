"""What a modality gave to the score of a single sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.results.sample_contributions import COLUMNS, sample_contributions
from core.store import Store
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run, fake_workspace


def test_by_how_much_each_modality_changes_a_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    run_id = fake_run(workspace, fake_cohort(workspace, patients=60), method="erm", epochs=2)
    path = workspace.runs / run_id / "predictions.parquet"
    wide = pd.read_parquet(path)
    names = [name.removeprefix("without__") for name in wide.columns if name.startswith("without__")]
    lacking = wide["split"].eq("test").idxmax()
    wide.loc[lacking, f"score__{names[0]}"] = np.nan
    wide.to_parquet(path)
    with Store.open(workspace) as store:
        found = sample_contributions(store, [run_id])
    test = wide[wide["split"] == "test"]
    assert list(found.columns) == list(COLUMNS) and len(found) == len(test) * len(names)
    assert found["sample_id"].tolist() == [sample for sample in test["sample_id"] for _ in names]
    missing = found[found["reason"].notna()]
    assert missing[["sample_id", "modality"]].to_numpy().tolist() == [[wide.loc[lacking, "sample_id"], names[0]]]
    assert missing["change"].isna().all() and missing["without"].isna().all() and missing["reason"].item() == f"the sample lacks {names[0]}"
    rest = found[found["reason"].isna()].merge(test, on="sample_id", suffixes=("", "_wide"))
    expected = [row["score_wide"] - row[f"without__{row['modality']}"] for _, row in rest.iterrows()]
    np.testing.assert_allclose(rest["change"], expected, atol=1e-12)
    assert main(["results", "contributions", "--json", "--workspace", str(workspace.root)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(found)


def test_a_run_of_one_modality_has_nothing_to_take_away(tmp_path: Path) -> None:
    fake = fake_workspace(tmp_path / "workspace", runs=1, patients=60, epochs=2, unsettled=False)
    path = fake.workspace.runs / fake.run_ids[0] / "predictions.parquet"
    wide = pd.read_parquet(path)
    assert sum(name.startswith("without__") for name in wide.columns) == 1
    with Store.open(fake.workspace) as store:
        assert sample_contributions(store, fake.run_ids).empty
