"""What one column holds, looked at once: the values by which its role is guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from core.cohort import images, volumes
from core.cohort.matching import is_web_address, unread_format
from core.errors import option
from core.tables import column_names as usual
from core.tables.identifiers import numbers_rows
from core.tables.numbers import WORDS, NumberColumn, parse_numbers, why_no_numbers
from core.tables.splits import folds

LOOKED_UP = 200
"""Values of a column that are looked up among the files."""
PROSE_READ = 2000
"""Distinct values that are looked at to tell sentences from words."""
ENDINGS_READ = 10_000
_DECIMAL = re.compile(r"[-+]?\d*[.,]\d+([eE][-+]?\d+)?")
_WHOLE = re.compile(r"[-+]?\d+")


class ColumnFacts:
    """One column of a table; n rows, texts or None."""

    def __init__(self, column: pd.Series) -> None:
        self.name, self.column = str(column.name), column

    @cached_property
    def values(self) -> pd.Series:
        """The values without missing ones."""
        return self.column.dropna()

    @cached_property
    def distinct(self) -> list[str]:
        """The distinct values in order of appearance."""
        return [str(v) for v in self.values.unique()]

    @cached_property
    def numbers(self) -> NumberColumn | None:
        """The column (n rows) as numbers, None when it holds none."""
        return parse_numbers(self.column, self.name)

    @property
    def some(self) -> list[str]:
        """The first distinct values."""
        return self.distinct[:LOOKED_UP]

    @cached_property
    def plain_numbers(self) -> bool:
        """Whether every value is a number as it stands."""
        return self.numbers is not None and not self.numbers.flagged.any() and not self.numbers.findings

    @property
    def decimal_fractions(self) -> bool:
        """Whether most values are measured numbers (with decimals), which name no file."""
        return _most(self.distinct, _DECIMAL)

    @property
    def whole_numbers(self) -> bool:
        """Whether most values are whole numbers."""
        return _most(self.distinct, _WHOLE)

    @cached_property
    def is_prose(self) -> bool:
        """Whether the values are sentences."""
        return len(self.distinct) > 20 and float(np.mean([len(text.split()) for text in self.distinct[:PROSE_READ]])) >= 4

    @property
    def file_kind(self) -> str | None:
        """`image` or `volume` where nine in ten values end as such files do, else None."""
        step = max(1, len(self.values) // ENDINGS_READ)
        # A list in one cell (['a.png', 'b.png']) is about files as well; that it names several is said when they are looked for.
        texts = [str(v).lower().rstrip(" ]})'\"") for v in self.values.iloc[::step]]
        if not texts or is_web_address(texts[0]):
            return None
        for kind, endings in (("volume", volumes.VOLUME_SUFFIXES), ("image", images.SUFFIXES)):
            if sum(text.endswith(endings) for text in texts) > 0.9 * len(texts):
                return kind
        return None

    @property
    def in_words(self) -> str:
        """Why a column of numbers is one: how its values were read."""
        if set(map(str.lower, self.distinct)) <= set(WORDS):
            return "its values are yes and no"
        if self.numbers is None or not self.numbers.findings:
            return "its values are numbers"
        return "its values are numbers; " + "; ".join(f.message.removeprefix(f"{self.name}: ") for f in self.numbers.findings)

    def why_no_feature(self) -> str | None:
        """Why a column cannot be a feature; None when it can."""
        tokens = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", self.name).lower()))
        n = len(self.distinct)
        if n < 2:
            return "it has a single value"
        if "missing" in tokens and n == 2:
            return "it marks absence, which must not reach a model unasked"
        if not self.plain_numbers:
            if sum(map(is_web_address, self.some)) > 0.5 * len(self.some):
                return "its values are web addresses"
            unread = unread_format(self.some)
            if unread is not None:
                return f"its values are names of {unread} files, which are not read"
        if tokens & usual.FILE_FACTS and not (tokens & {"height", "width"} and self._of_a_body()):
            return "it describes the file, not the patient"
        if tokens & {"fold", "split", "partition"} or (tokens in ({"set"}, {"subset"}, {"phase"}) and n <= 10):
            return "it divides the data" + self._how_to_use_folds()
        if numbers_rows(self.name, self.values):
            return "it numbers the rows"
        if usual.names_matched(self.name, self.values):
            return "it says which rows were matched to each other; these stay in one split"
        if tokens & {"id", "uid", "identifier", "mrn", "accession"} or (self.name.lower().endswith("id") and n > 0.5 * len(self.values)):
            return "its name says that it identifies something"
        if len(self.values) >= 10 and n > 0.9 * len(self.values) and self.numbers is None and not self.is_prose:
            return why_no_numbers(self.values) or "every row has a word of its own"
        return None

    def _how_to_use_folds(self) -> str:
        numbered = folds(self.values.unique())
        if not numbered or len(numbered) <= 2:
            return ""
        return (
            f" into folds {numbered[0]} to {numbered[-1]}; name it with {option('--fold', self.name)} for cross-validation, or with "
            f"{option('--split', self.name)} to use the last one as test set"
        )

    def _of_a_body(self) -> bool:
        """Whether a height is a person's, by its unit or its size in centimetres or metres; those of pictures are pixels."""
        name = self.name.lower()
        if "height" not in name:
            return False
        if self.values.astype(str).str.contains(r"\d\s*(?:cm|m|in|ft)\b", regex=True).mean() > 0.5 or re.search(r"(?:^|[_ (])(?:cm|m|in)\)?$", name):
            return True
        if self.numbers is None:
            return False
        known = self.numbers.values[~np.isnan(self.numbers.values)]
        likely = float(((known >= 40) & (known <= 230)).sum()) > 0.99 * len(self.values)
        return bool((known % 1 != 0).mean() > 0.1 or (likely and len(np.unique(known)) > 10))


def _most(texts: Sequence[str], form: re.Pattern[str]) -> bool:
    return bool(texts) and sum(form.fullmatch(text) is not None for text in texts) > 0.5 * len(texts)
