"""Which column of a predictions file is probably what, for a person to confirm."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

MOST_GROUPS = 20
_LABEL = ("label", "y_true", "y", "target", "outcome", "truth", "ground_truth", "gt", "class", "death", "event", "observed")
_SCORE = ("score", "prob", "probability", "y_score", "risk", "p", "pred_proba", "confidence", "logit")
_PREDICTION = ("prediction", "predicted", "pred", "y_pred", "decision")
_ID = ("id", "sample_id", "image_id", "record_id", "study_id")
_PATIENT = ("patient_id", "patient", "subject_id", "subject", "mrn")
_SENSITIVE = ("sex", "gender", "race", "ethnicity", "ethnic", "age_band", "age_group", "agecat", "skin", "language", "insurance", "religion", "marital", "income", "fitzpatrick", "site", "hospital")


@dataclass(frozen=True)
class MappingGuess:
    """Column names; empty where nothing fits."""

    label: str | None
    score: tuple[str, ...]
    attributes: tuple[str, ...]
    id: str | None
    patient: str | None
    prediction: tuple[str, ...]
    model: str | None
    split: str | None


def guess_mapping(head: pd.DataFrame) -> MappingGuess:
    """Guess from the first rows of the file (a few thousand are plenty)."""
    taken: set[str] = set()

    def named(words: tuple[str, ...], fits: object = None) -> str | None:
        for word in words:
            for column in map(str, head.columns):
                if column not in taken and _tidy(column) == word and (fits is None or fits(head[column])):  # type: ignore[operator]
                    taken.add(column)
                    return column
        return None

    label = named(_LABEL, lambda c: c.dropna().nunique() == 2)
    patient, identity = named(_PATIENT), named(_ID, lambda c: c.nunique() > 0.2 * len(c))
    model = named(("model", "model_name", "method", "classifier"), lambda c: c.nunique() <= MOST_GROUPS)
    split = named(("split", "set", "partition", "subset"), lambda c: c.nunique() <= 4)
    prediction = [c for c in map(str, head.columns) if c not in taken and _tidy(c) in _PREDICTION and head[c].dropna().nunique() <= 2]
    taken.update(prediction[:1])
    score = [c for c in map(str, head.columns) if c not in taken and _is_score(c, head[c])]
    if not score:
        score = [c for c in map(str, head.columns) if c not in taken and _is_probability(head[c])]
    if model is not None:
        score = score[:1]
    taken.update(score)
    attributes = tuple(c for c in map(str, head.columns) if c not in taken and _is_attribute(c, head[c]))
    if label is None:
        binary = [c for c in map(str, head.columns) if c not in taken and c not in attributes and head[c].dropna().nunique() == 2]
        label = binary[0] if len(binary) == 1 else None
    return MappingGuess(label, tuple(score), attributes, identity, patient, tuple(prediction[:1]) if len(score) == 1 else (), model, split)


def _tidy(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", column).lower()).strip("_")


def _words(column: str) -> set[str]:
    return set(_tidy(column).split("_")) | {_tidy(column)}


def _is_score(column: str, values: pd.Series) -> bool:
    return bool(_words(column) & set(_SCORE)) and pd.api.types.is_numeric_dtype(values) and values.nunique() > 2


def _is_probability(values: pd.Series) -> bool:
    known = values.dropna()
    return bool(pd.api.types.is_float_dtype(values) and known.nunique() > 10 and known.between(0, 1).all())


def _is_attribute(column: str, values: pd.Series) -> bool:
    n = values.dropna().nunique()
    tidy = _tidy(column)
    return 2 <= n <= MOST_GROUPS and any(word in tidy for word in _SENSITIVE)
