"""What the columns of a predictions table are taken for, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.audit.input.guess_columns import guess_columns

N = 200


def table(**columns: object) -> pd.DataFrame:
    """Predictions as `core.tables` reads them, text throughout; further columns replace or follow the usual ones."""
    rng = np.random.default_rng(0)
    plain = {
        "id": range(N),
        "outcome": rng.integers(0, 2, N),
        "score": rng.random(N).round(4),
        "race": rng.choice(["black", "white"], N),
        "sex": rng.choice(["f", "m"], N),
        "note": ["x"] * N,
    }
    return pd.DataFrame({k: pd.Series([str(v) for v in values], dtype=object) for k, values in (plain | columns).items()})  # type: ignore[attr-defined]


def test_columns_are_guessed_by_name_and_content() -> None:
    guess = guess_columns(table())
    assert (guess.label, guess.score, guess.attributes, guess.id) == ("outcome", ("score",), ("race", "sex"), "id")
    assert set(guess.reasons) == {"outcome", "score", "race", "sex", "id"} and all(guess.reasons.values())
    long = table(model=["a"] * N, split=["test"] * N, patient_id=range(N), prediction=["0"] * N)
    guess = guess_columns(long.rename(columns={"score": "probability", "outcome": "y_true"}))
    assert (guess.label, guess.score, guess.model, guess.split, guess.patient) == ("y_true", ("probability",), "model", "split", "patient_id")


def test_a_label_with_uncertain_values_is_still_the_label() -> None:
    assert guess_columns(table(outcome=[(1, 0, -1)[i % 3] for i in range(N)])).label == "outcome"
    assert guess_columns(table(outcome=[i % 5 for i in range(N)])).label == "outcome", "which grade is positive is asked"


def test_a_column_of_probabilities_is_a_score_whatever_its_name() -> None:
    probabilities = np.random.default_rng(1).random(N).round(3)
    guess = guess_columns(table(**{"network 7": probabilities}).drop(columns="score"))
    assert guess.score == ("network 7",)
    assert "between 0 and 1" in guess.reasons["network 7"]


def test_weights_are_numbers() -> None:
    assert guess_columns(table(sampling_weight=[1.5 + i % 3 for i in range(N)])).weights == "sampling_weight"
    assert guess_columns(table(sampling_weight=["high", "low"] * (N // 2))).weights is None
