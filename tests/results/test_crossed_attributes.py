"""Two attributes at once: trained on their intersections, and judged by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.api.runs import train_methods
from core.cli import main
from core.cohort import load
from core.errors import UserError
from core.tables.crossing import crossed_name, crossed_parts, crossed_values
from core.workspace import Workspace

SET = {"epochs": 1, "width": 16, "heads": 2, "bootstrap": 5}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    n = 480
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(n)],
            "ill": y,
            "sex": [("female", "male")[i % 2] for i in range(n)],
            "band": [("old", "young")[i // 2 % 2] if i % 40 else None for i in range(n)],
            "pressure": np.round(16 + 2 * y + rng.normal(0, 3, n), 2),
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    roles = ["--label", "ill", "--attribute", "sex", "--attribute", "band", "--tabular", "eye=pressure", "--id", "id", "--name", "two"]
    assert main(["ingest", str(tmp_path / "t.csv"), *roles, "--workspace", str(tmp_path / "w")]) == 0
    return tmp_path / "w"


def test_a_run_is_trained_and_judged_on_the_intersections(place: Path) -> None:
    runs = train_methods("two", ["group-dro"], attribute="sex,band", seeds=[1], settings=SET, workspace=place)
    groups = runs.table("groups").set_index("group")
    assert list(groups.index) == ["female × old", "female × young", "male × old", "male × young"]
    assert set(groups["attribute"]) == {"sex × band"}
    table = load(Workspace.open(place), "two").table.set_index("sample_id")
    test = pd.read_parquet(place / "runs" / runs.run_ids[0] / "predictions.parquet").query("split == 'test'").set_index("sample_id")
    test = test.join(table[["sex", "band"]])
    for (sex, band), part in test.dropna(subset=["band"]).groupby(["sex", "band"]):
        assert groups.loc[f"{sex} × {band}", "auc"] == pytest.approx(roc_auc_score(part["y"], part["score"]))
    telemetry = runs.table("telemetry", series=["unimodal.auc"])
    assert set(telemetry["group"].dropna()) == set(groups.index)
    by_sex = runs.table("groups", "sex")
    assert list(by_sex["group"]) == ["female", "male"], "the same run judged by one of them"


def test_whose_group_is_missing_in_one_is_in_no_intersection(place: Path) -> None:
    cohort = load(Workspace.open(place), "two")
    index, missing = cohort.group_index("sex × band"), cohort.table["band"].isna().to_numpy()
    assert (index[missing] == -1).all() and (index[~missing] >= 0).all() and missing.sum() == 12
    assert cohort.groups("sex × band") == ("female × old", "female × young", "male × old", "male × young")


def test_an_unknown_part_is_told(place: Path) -> None:
    with pytest.raises(UserError, match="no sensitive attribute 'sex × race'; it has: sex, band"):
        train_methods("two", ["erm"], attribute="sex,race", settings=SET, workspace=place)


def test_names() -> None:
    assert crossed_name("sex,age", ("sex", "age")) == crossed_name("sex, age", ()) == "sex × age"
    assert crossed_name("age, years", ("age, years",)) == "age, years", "a column may have a comma in its name"
    assert crossed_parts("sex × age", ("sex", "age")) == ("sex", "age")
    assert crossed_parts("sex × age", ("sex × age",)) == ("sex × age",)
    assert crossed_parts("sex × age", ("sex",)) == ()
    assert crossed_values([["a", None], ["x", "y"]]) == ["a × x", None]
