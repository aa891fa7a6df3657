"""Patients whole, strata in proportion, the same seed the same split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cohort.splits import SHARES, connected, cut_validation, make_split, parse_split, rows_of_test_patients
from core.errors import UserError
from core.tables.splits import SPLITS


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 300), st.integers(1, 5))
def test_a_patient_is_never_in_two_splits(seed: int, n: int, rows_each: int):
    generator = np.random.default_rng(seed)
    patients = [f"p{v}" for v in generator.integers(0, max(10, n // rows_each), n)]
    y = generator.integers(0, 2, n).astype(np.int8)
    split = make_split(patients, y, [generator.choice(["a", "b", None], n).tolist()], seed=seed)
    assert pd.Series(split).groupby(patients).nunique().max() == 1
    assert set(split) == set(SPLITS)


def test_label_and_groups_keep_their_shares():
    generator = np.random.default_rng(0)
    n = 3000
    y = (generator.random(n) < 0.2).astype(np.int8)
    sex, skin = generator.choice(["f", "m"], n), generator.choice(["1", "2", "3"], n, p=[0.7, 0.25, 0.05])
    split = make_split([str(i) for i in range(n)], y, [sex.tolist(), skin.tolist()], seed=1)
    for name, share in zip(SPLITS, SHARES, strict=True):
        mine = split == name
        assert abs(mine.mean() - share) < 0.005
        assert abs(y[mine].mean() - y.mean()) < 0.005
        assert abs((skin[mine] == "3").mean() - (skin == "3").mean()) < 0.005


def test_the_seed_decides():
    patients, y = [str(i) for i in range(100)], np.tile([0, 1], 50).astype(np.int8)
    one, again, other = (make_split(patients, y, [], seed=s) for s in (1, 1, 2))
    assert (one == again).all() and (one != other).any()


def test_words_for_splits():
    values = pd.Series(["Training", "val", "TEST", "dev", "holdout"], dtype=object)
    assert parse_split(values, "use").tolist() == ["train", "validation", "test", "validation", "test"]
    with pytest.raises(UserError, match="row 3, column 'use': 'maybe' is not a split"):
        parse_split(pd.Series(["train", "maybe"], dtype=object), "use")
    assert parse_split(pd.Series(["train", "validate", "Test"], dtype=object), "use").tolist() == ["train", "validation", "test"]
    for words, absent in ((["val", "test"], "train"), (["train", "val"], "test")):
        with pytest.raises(UserError, match=f"no row into {absent}"):
            parse_split(pd.Series(words, dtype=object), "use")


def test_validation_is_cut_from_training_and_the_test_set_kept():
    patients = [str(i // 2) for i in range(200)]
    y = np.tile([0, 0, 1, 1], 50).astype(np.int8)
    given = np.array(["train"] * 160 + ["test"] * 40, dtype=object)
    cut = cut_validation(given, patients, y, [], seed=0)
    assert (cut[160:] == "test").all() and set(cut[:160]) == {"train", "validation"}
    assert (cut == "validation").sum() == 40
    assert pd.Series(cut).groupby(patients).nunique().max() == 1
    three = np.array(["train", "validation", "test"], dtype=object)
    assert cut_validation(three, ["a", "b", "c"], np.array([0, 1, 0], np.int8), [], seed=0) is three


def test_folds_are_training_validation_and_test():
    values = pd.Series(["0", "1", "2", "3", "4"], dtype=object)
    assert parse_split(values, "fold").tolist() == ["train", "train", "train", "validation", "test"]
    with pytest.raises(UserError, match="holds 2 folds; three are needed"):
        parse_split(pd.Series(["0", "1"], dtype=object), "fold")


def test_a_given_test_set_is_never_changed():
    split = np.array(["train", "test", "validation", "train"], dtype=object)
    assert rows_of_test_patients(split, ["a", "a", "b", "b"]).tolist() == [0]


def test_patients_of_one_matched_set_hang_together() -> None:
    patients = ["a", "b", "c", "d", "e", "a"]
    assert connected(patients, ["1", "1", "2", "2", None, "3"]) == ["a", "a", "c", "c", "e", "a"]
    # a's second row is in set 3 with f: all of sets 1 and 3 are one.
    assert connected([*patients, "f"], ["1", "1", "2", "2", None, "3", "3"]) == ["a", "a", "c", "c", "e", "a", "a"]
