"""Which column of a predictions table is probably what, and why, for a person to confirm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from core.tables import column_names as usual
from core.tables.column_names import tidy, words_of
from core.tables.labels import known_positive
from core.tables.numbers import to_number
from core.tables.splits import are_splits

MOST_GROUPS = 20
_ALSO_GROUPS = ("site", "hospital", "age_band", "age_group")


@dataclass(frozen=True)
class ColumnGuess:
    """Column names; empty where nothing fits.

    reasons : column -> why it is taken for what it is.
    """

    label: str | None = None
    score: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    id: str | None = None
    patient: str | None = None
    prediction: tuple[str, ...] = ()
    model: str | None = None
    split: str | None = None
    weights: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)


def guess_columns(table: pd.DataFrame) -> ColumnGuess:
    """Guess from a table as `core.tables` reads it (text, None where missing); its first thousands of rows are plenty."""
    guess = _Guess(table)
    label = guess.named(
        usual.LABEL, lambda c: c.nunique() == 2 or known_positive(c.unique()) is not None, "its name says label and its values are a known pair, or two"
    )
    if label is None:
        # Which of its values is positive, or whether they are told apart, is asked.
        label = guess.named(usual.LABEL, lambda c: 3 <= c.nunique() <= MOST_GROUPS and c.nunique() < 0.5 * len(c), "its name says label and it has few values")
    patient = guess.named(usual.PATIENT, None, "its name says patient") or next(iter(guess.all(_is_patient, "its name says patient")), None)
    identity = guess.named(usual.SAMPLE, lambda c: c.nunique() > 0.2 * len(c), "its name says id")
    model = guess.named(usual.MODEL, lambda c: c.nunique() <= MOST_GROUPS, "its name says model")
    split = guess.named(usual.SPLIT, lambda c: are_splits(c.dropna().unique()) or c.nunique() <= 4, "its name says split")
    weights = guess.named(usual.WEIGHTS, lambda c: to_number(c) is not None, "its name says weight")
    prediction = guess.all(lambda name, c: tidy(name) in usual.PREDICTION and c.nunique() <= 2, "its name says prediction and it has two values")[:1]
    score = guess.all(_is_score, "its name says score and it holds numbers")
    if not score:
        score = guess.all(lambda _, c: _is_probability(c), "its values lie between 0 and 1")
    score = score[:1] if model is not None else score
    attributes = guess.all(_is_attribute, "its name is that of a sensitive attribute and it has few values")
    if label is None:
        two = [c for c in guess.free() if table[c].nunique() == 2]
        label = two[0] if len(two) == 1 else None
        if label is not None:
            guess.reasons[label] = "it is the only column left with two values"
    return ColumnGuess(
        label, tuple(score), tuple(attributes), identity, patient, tuple(prediction) if len(score) == 1 else (), model, split, weights, guess.reasons
    )


class _Guess:
    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.reasons: dict[str, str] = {}

    def free(self) -> list[str]:
        return [c for c in map(str, self.table.columns) if c not in self.reasons]

    def named(self, names: tuple[str, ...], fits: Callable[[pd.Series], bool] | None, reason: str) -> str | None:
        """The first free column that has one of the names, in their order, and fits."""
        for name in names:
            for column in self.free():
                if tidy(column) == name and (fits is None or fits(self.table[column])):
                    self.reasons[column] = reason
                    return column
        return None

    def all(self, fits: Callable[[str, pd.Series], bool], reason: str) -> list[str]:
        """Every free column that fits."""
        found = [c for c in self.free() if fits(c, self.table[c])]
        self.reasons |= dict.fromkeys(found, reason)
        return found


def _is_patient(column: str, values: pd.Series) -> bool:
    return usual.names_patient(column) and values.nunique() > 1


def _is_score(column: str, values: pd.Series) -> bool:
    if not words_of(column) & set(usual.SCORE) or values.nunique() <= 2:
        return False
    return to_number(values) is not None


def _is_probability(values: pd.Series) -> bool:
    numbers = to_number(values)
    if numbers is None or numbers.nunique() <= 10:
        return False
    known = numbers.dropna()
    return bool(known.between(0, 1).all() and (known % 1 != 0).any())


def _is_attribute(column: str, values: pd.Series) -> bool:
    return 2 <= values.nunique() <= MOST_GROUPS and (usual.names_sensitive(column) or any(word in tidy(column) for word in _ALSO_GROUPS))
