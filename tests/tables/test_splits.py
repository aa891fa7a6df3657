"""Words, flags and folds by which tables divide their rows."""

from __future__ import annotations

import pytest

from core.tables.splits import are_splits, folds, split_meanings, split_word


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("Train", "train"),
        ("TRAINING", "train"),
        ("validate", "validation"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("tuning", "validation"),
        ("test", "test"),
        ("Hold-Out", "test"),
        ("external_validation", "test"),
        ("maybe", None),
        ("1", None),
    ],
)
def test_words(word: str, split: str | None):
    assert split_word(word) == split


@pytest.mark.parametrize(
    ("column", "value", "split"),
    [("is_test", "1", "test"), ("is_test", "False", "train"), ("is_train", "yes", "train"), ("is_train", "0.0", "test"), ("smoker", "1", None)],
)
def test_flags_count_only_in_columns_of_that_name(column: str, value: str, split: str | None):
    assert split_word(value, column) == split


def test_a_split_has_training_and_test():
    assert are_splits(["train", "validate", "test"]) and are_splits(["train", "test"])
    assert not are_splits(["train", "val"]) and not are_splits(["train", "test", "maybe"])
    assert are_splits(["0", "1"], "is_test") and not are_splits(["0", "1"], "label")


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["0", "1", "2"], [0, 1, 2]),
        (["fold 1", "fold 2", "fold 3"], [1, 2, 3]),
        (["1.0", "2.0"], [1, 2]),
        (["1", "3"], None),
        (["a", "1"], None),
        ([str(i) for i in range(40)], None),
    ],
)
def test_folds(values: list[str], numbers: list[int] | None):
    assert folds(values) == numbers


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["Training Set", "Test Set"], ["train", "test"]),
        (["training data", "validation data", "test data"], ["train", "validation", "test"]),
        (["train_1", "train_2", "test_1"], ["train", "train", "test"]),
        (["train", "internal_test", "test (x)"], ["train", "test", None]),
        (["train", "val", "test_internal", "test_external"], ["train", "validation", "test", "test"]),
        (["training/validation", "testing"], ["train", "test"]),
        (["development", "validation"], ["train", "test"]),
        (["derivation cohort", "validation cohort"], ["train", "test"]),
        (["train", "validation"], ["train", "validation"]),
        (["tanító", "validáló", "teszt"], ["train", "validation", "test"]),
        (["trénovací", "testovací"], ["train", "test"]),
        (["trening", "validering", "test"], ["train", "validation", "test"]),
        (["eğitim", "doğrulama", "test"], ["train", "validation", "test"]),
        (["untrained", "tested", "attest"], [None, None, None]),
        (["contrast", "testis"], [None, None]),
    ],
)
def test_splits_in_more_words(words: list[str], meant: list[str | None]) -> None:
    assert list(split_meanings(words, "part").values()) == meant
