"""Folds: patients and sites whole, a given test set locked, the table's own folds taken as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cohort.folds import LOCKED, NO_FOLD, given_folds, made_folds, split_of_fold
from core.cohort.guess import guess_roles
from core.cohort.ingest import ingest
from core.cohort.manifest import read_manifest, write_manifest
from core.cohort.schema import Roles
from core.errors import UserError
from core.store import Store
from core.tables.reader import read
from core.workspace import Workspace
from tests.cohort.helpers import plain_columns, roles

N = 120
PATIENTS = [f"p{i // 2}" for i in range(N)]
Y = np.array([(i // 2) % 3 == 0 for i in range(N)], dtype=np.int8)
SEX = [("F", "M")[i // 2 % 2] for i in range(N)]
FREE = np.zeros(N, bool)


def table(folder: Path, **more: list[object]) -> Path:
    folder.mkdir(exist_ok=True)
    pd.DataFrame(plain_columns(N) | more).to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"


def test_folds_keep_patients_whole_and_label_and_groups_in_proportion():
    fold = made_folds(PATIENTS, Y, [SEX], 5, FREE, seed=0)
    frame = pd.DataFrame({"fold": fold, "patient": PATIENTS, "y": Y, "sex": SEX})
    assert frame.groupby("patient")["fold"].nunique().max() == 1
    assert frame["fold"].value_counts().tolist() == [N // 5] * 5
    assert frame.groupby("fold")["y"].mean().between(0.25, 0.42).all()
    assert frame.groupby("fold")["sex"].apply(lambda s: (s == "F").mean()).between(0.4, 0.6).all()
    assert (made_folds(PATIENTS, Y, [SEX], 5, FREE, seed=0) == fold).all()


@pytest.mark.parametrize("k", [2, 21])
def test_too_few_or_too_many_folds_are_refused(k: int):
    with pytest.raises(UserError, match="use 3 to 20 folds"):
        made_folds(PATIENTS, Y, [SEX], k, FREE, seed=0)
    with pytest.raises(UserError, match="only 2 patients"):
        made_folds(["a", "b"], Y[:2], [SEX[:2]], 3, FREE[:2], seed=0)


def test_a_patient_in_two_folds_of_the_table_goes_to_the_one_with_most_of_their_rows():
    fold, moved = given_folds(pd.Series(["1", "1", "2", "2", "3", "3"]), "fold", ["a", "a", "a", "b", "c", "c"], np.zeros(6, bool))
    assert fold.tolist() == [0, 0, 0, 1, 2, 2] and moved == 1
    with pytest.raises(UserError, match="numbers of 3 to 20 folds"):
        given_folds(pd.Series(["a", "b", "c"]), "fold", ["a", "b", "c"], np.zeros(3, bool))


def test_each_fold_is_once_the_test_set_and_the_next_validation():
    fold = np.array([0, 1, 2, 3, NO_FOLD], np.int8)
    assert split_of_fold(fold, 3).tolist() == ["validation", "train", "train", "test", LOCKED]


def test_a_cohort_with_folds_and_a_locked_test_set(tmp_path: Path, workspace: Workspace):
    split = ["test" if (i // 2) % 5 == 0 else "train" for i in range(N)]
    cohort = ingest(workspace, table(tmp_path / "a", split=split), roles=roles(split="split", folds=4))
    own = cohort.table["split"].to_numpy() == "test"
    assert cohort.n_folds == 4 and (cohort.fold[own] == NO_FOLD).all() and (cohort.fold[~own] >= 0).all()
    seen = np.zeros(N, int)
    for k in range(4):
        view = cohort.at_fold(str(k))
        assert set(view.table.loc[own, "split"]) == {LOCKED}
        assert view.table.groupby("patient_id")["split"].nunique().max() == 1
        seen += view.table["split"].to_numpy() == "test"
        assert view.cohort_id != cohort.cohort_id
    assert (seen[~own] == 1).all() and (seen[own] == 0).all()
    with pytest.raises(UserError, match="has no fold '4'"):
        cohort.at_fold("4")
    assert cohort.at_fold(None) is cohort


def test_the_tables_own_folds_and_sites(tmp_path: Path, workspace: Workspace):
    columns = {"fold": [1 + (i // 2) % 5 for i in range(N)], "hospital": [f"h{(i // 2) % 7}" for i in range(N)]}
    own = ingest(workspace, table(tmp_path / "a", **columns), roles=roles(fold="fold"))
    assert own.fold.tolist() == [(i // 2) % 5 for i in range(N)]
    assert (own.table["split"].to_numpy() == "test").tolist() == [(i // 2) % 5 == 4 for i in range(N)]
    sites = ingest(workspace, table(tmp_path / "b", **columns), roles=roles(folds=3, site="hospital"))
    frame = pd.DataFrame({"site": columns["hospital"], "fold": sites.fold, "split": sites.table["split"]})
    assert frame.groupby("site")[["fold", "split"]].nunique().max().tolist() == [1, 1]
    with pytest.raises(UserError, match="training, validation and test need one each"):
        ingest(workspace, table(tmp_path / "c", hospital=[f"h{(i // 2) % 2}" for i in range(N)]), roles=roles(site="hospital"))


def test_folds_are_kept_in_the_manifest_and_older_roles_keep_their_identity(tmp_path: Path):
    said = roles(folds=5, site="sex")
    write_manifest(tmp_path / "manifest.toml", said, "clinic")
    assert read_manifest(tmp_path / "manifest.toml") == (said, "clinic")
    assert Roles.from_dict(said.to_dict()) == said
    assert not {"folds", "fold", "site"} & set(replace(said, folds=0, site=None).to_dict())


def test_combinations_of_attributes_are_an_attribute_of_their_own(tmp_path: Path, workspace: Workspace):
    crossed = roles(attributes=("sex", "sex × age band"), bins=("age=50",), cross=("sex,age band",))
    cohort = ingest(workspace, table(tmp_path / "a"), roles=crossed)
    assert cohort.groups("sex × age band") == ("female × 50+", "female × <50", "male × 50+", "male × <50")
    write_manifest(tmp_path / "manifest.toml", crossed, "clinic")
    assert read_manifest(tmp_path / "manifest.toml")[0] == crossed
    with pytest.raises(UserError, match="--cross sex,race: column 'race' is not in the table"):
        ingest(workspace, table(tmp_path / "b"), roles=roles(cross=("sex,race",)))


def test_sampling_weights_are_no_feature_are_kept_and_rows_without_one_are_set_aside(tmp_path: Path, workspace: Workspace):
    weights = [0.5 + i % 4 for i in range(N)]
    path = table(tmp_path / "a", sampling_weight=weights, weight=[55 + i % 40 for i in range(N)])
    guessed = guess_roles(read(path).frame)
    assert guessed.roles.weights == "sampling_weight" and "sampling_weight" not in guessed.roles.feature_columns
    assert "weight" in guessed.roles.feature_columns, "a body weight is a value of the patient, unless the user says otherwise"
    cohort = ingest(workspace, path, roles=guessed.roles)
    assert cohort.sampling_weights is not None and cohort.sampling_weights.tolist() == weights
    with Store.open(workspace) as store:
        known = store.sampling_weights(cohort.cohort_id)
    assert known is not None and known.name == "sampling_weight" and known.tolist() == weights
    damaged = ingest(workspace, table(tmp_path / "b", w=["", -1, "many", *weights[3:]]), roles=roles(weights="w"))
    assert [row["code"] for row in damaged.set_aside] == ["weight-unusable"] * 3
    assert any("3 rows without a usable sampling weight" in f.message for f in damaged.findings)
    assert "weights" not in roles().to_dict()
    write_manifest(tmp_path / "manifest.toml", roles(weights="w"), "clinic")
    assert read_manifest(tmp_path / "manifest.toml")[0].weights == "w"
