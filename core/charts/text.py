"""How numbers and counts are written on charts: as everywhere."""

from core.audit.wording import (
    MINUS,
    NOT_ESTIMABLE,
    THIN_SPACE,
    UNDEFINED,
    count,
    decimal,
    interval,
    listing,
    missing,
    p_value,
    percent,
    plural,
    positives,
    same_verb,
    sentence,
    whole_sentence,
)

__all__ = [
    "MINUS",
    "NOT_ESTIMABLE",
    "THIN_SPACE",
    "UNDEFINED",
    "count",
    "decimal",
    "interval",
    "listing",
    "missing",
    "p_value",
    "percent",
    "plural",
    "positives",
    "same_verb",
    "sentence",
    "whole_sentence",
]
