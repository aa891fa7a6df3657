"""Values and words as numbers: nothing from validation or test, nothing read off a gap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.cohort import text
from core.cohort.tabular import blocks_of_gaps, encode
from tests.cohort.helpers import text_table

N = 400
RNG = np.random.default_rng(0)
Y = (np.arange(N) % 2).astype(np.int8)
TRAIN = np.arange(N) < 240


def test_numbers_are_standardised_by_training_rows_only():
    table = text_table({"a": np.where(TRAIN, np.arange(N) % 10, 1000)})
    encoded = encode(table, ["a"], Y, TRAIN, seed=0)
    train = encoded.values[TRAIN, 0]
    assert abs(train.mean()) < 1e-6 and abs(train.std() - 1) < 1e-5
    assert encoded.values[~TRAIN].max() == 10, "far outside training: clipped"
    assert encoded.values.dtype == np.float32


def test_categories_come_from_training():
    table = text_table({"c": ["x", "y", "z", "x"] * 60 + ["new"] * 160})
    encoded = encode(table, ["c"], Y, TRAIN, seed=0)
    assert encoded.names == ("c=x", "c=y", "c=z")
    assert len(np.unique(encoded.values[~TRAIN], axis=0)) == 1
    assert not encoded.missing.any()


def test_gaps_that_say_nothing_are_marked():
    gap = RNG.random(N) < 0.2
    table = text_table({"a": [None if g else v for g, v in zip(gap, RNG.normal(size=N), strict=True)]})
    encoded = encode(table, ["a"], Y, TRAIN, seed=0)
    assert encoded.donated == ()
    assert np.array_equal(encoded.missing[:, 0], gap)
    assert (encoded.values[gap] == 0).all()


def informative() -> pd.DataFrame:
    gap = (Y == 0) & (RNG.random(N) < 0.7)
    a = np.round(RNG.normal(size=N), 3)
    return text_table(
        {
            "a": [None if g else v for g, v in zip(gap, a, strict=True)],
            "twice_a": [None if g else 2 * v for g, v in zip(gap, a, strict=True)],
            "b": RNG.normal(size=N),
        }
    )


def test_gaps_that_predict_the_label_are_filled_from_training_donors_and_not_marked():
    table = informative()
    encoded = encode(table, ["a", "twice_a", "b"], Y, TRAIN, seed=0)
    assert encoded.donated == ("a", "twice_a")
    assert not encoded.missing.any()
    gap = table["a"].isna().to_numpy()
    donors = set(encoded.values[TRAIN & ~gap, 0].tolist())
    assert set(encoded.values[gap, 0].tolist()) <= donors
    # Columns missing together come from one donor: they still fit each other.
    assert np.corrcoef(encoded.values[gap, 0], encoded.values[gap, 1])[0, 1] > 0.999


def test_the_label_cannot_be_read_off_a_filled_gap():
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    aucs = []
    for seed in range(5):
        encoded = encode(informative(), ["a", "twice_a", "b"], Y, TRAIN, seed=seed)
        features = np.hstack([encoded.values, encoded.missing])
        model = HistGradientBoostingClassifier(random_state=0, max_iter=40).fit(features[TRAIN], Y[TRAIN])
        aucs.append(roc_auc_score(Y[~TRAIN], model.predict_proba(features[~TRAIN])[:, 1]))
    assert abs(np.mean(aucs) - 0.5) < 0.08
    raw = np.nan_to_num(informative()["a"].isna().to_numpy(dtype=float))
    assert roc_auc_score(Y, -raw) > 0.8


def test_the_same_seed_gives_the_same_values():
    one, two = (encode(informative(), ["a"], Y, TRAIN, seed=3).names for _ in range(2))
    assert one == two
    table = informative()
    assert np.array_equal(encode(table, ["a"], Y, TRAIN, seed=3).values, encode(table, ["a"], Y, TRAIN, seed=3).values)


def test_nearly_the_same_gaps_are_one_block():
    base = np.arange(100) < 40
    near = base.copy()
    near[40:42] = True
    assert blocks_of_gaps({"a": base, "b": near, "c": ~base}) == [["a", "b"], ["c"]]


def test_the_vocabulary_is_that_of_training_and_rare_words_keep_an_identity():
    tokenizer = text.fit(["the cup is large", "the cup is small", None, ""])
    assert set(tokenizer.vocabulary) == {"the", "cup", "is"}
    ids, mask = tokenizer.encode(["The CUP", "glaucoma cup", "stroke cup", None])
    assert ids.shape == mask.shape == (4, tokenizer.length)
    assert ids[0, :2].tolist() == [tokenizer.vocabulary["the"], tokenizer.vocabulary["cup"]]
    assert 1 <= ids[1, 0] <= text.HASHED and ids[1, 0] != ids[2, 0]
    assert ids.max() < tokenizer.size and not mask[3].any() and mask[0].sum() == 2


def test_numbers_and_punctuation_are_words():
    assert text.words("IOP 21.5 mmHg, cup-to-disc: 0.8!") == ["iop", "21.5", "mmhg", ",", "cup", "-", "to", "-", "disc", ":", "0.8", "!"]


def test_an_empty_training_set_of_notes_still_encodes():
    ids, mask = text.fit([]).encode(["word", None])
    assert ids.shape == (2, 1) and mask.tolist() == [[True], [False]]
