"""Which column of a predictions table plays which role."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import UserError


@dataclass(frozen=True)
class Mapping:
    """Roles of the columns.

    Several models come wide (`score` names one column per model, `prediction` as many or none)
    or long (`model` names the column that tells them apart; `id` aligns their rows, without one their order does where nothing speaks against it).

    positive : a value, several joined by `|`, `>=2`, or `contains Effusion`; None to go by known words.
    uncertain, blank : what uncertain marks and empty cells of the label mean (`exclude`, `negative`, `positive`).
    merge : groups put together, each as `COLUMN=new:old,old`.
    sheet, encoding : of the file, where it has several or where it is not recognised.
    """

    label: str
    score: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    id: str | None = None
    patient: str | None = None
    prediction: tuple[str, ...] = ()
    model: str | None = None
    weights: str | None = None
    split: str | None = None
    positive: str | None = None
    uncertain: str = "exclude"
    blank: str = "exclude"
    merge: tuple[str, ...] = ()
    sheet: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if not self.score:
            raise UserError("name the column that holds the score (--score COL), or the predicted label (--prediction COL)")
        if self.model and len(self.score) > 1:
            raise UserError("give several score columns or a model column, not both")
        if self.prediction and len(self.prediction) != len(self.score):
            raise UserError(f"{len(self.score)} score columns but {len(self.prediction)} prediction columns: give one for each score")
        for name in ("score", "attributes"):
            names = getattr(self, name)
            if len(set(names)) < len(names):
                raise UserError(f"{name}: a column is named twice ({', '.join(names)})")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        single = [c for c in (self.label, self.id, self.patient, self.model, self.weights, self.split) if c]
        return tuple(dict.fromkeys([*single, *self.score, *self.prediction, *self.attributes]))

    def check(self, available: Sequence[str], source: str) -> None:
        """Raise a UserError for the first column that the table does not have."""
        check_columns(self.columns, available, source)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` takes it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Mapping:
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return cls(**plain)


def check_columns(wanted: Sequence[str], available: Sequence[str], source: str) -> None:
    """Raise a UserError for the first wanted column that a table does not have, with the likeliest one that it has."""
    for column in wanted:
        if column in available:
            continue
        alike = [name for name in available if name.lower() == column.lower()]
        close = alike or difflib.get_close_matches(column, available, n=1)
        hint = f"did you mean '{close[0]}'?" if close else "it has: " + ", ".join(available[:20]) + (" ..." if len(available) > 20 else "")
        raise UserError(f"{source}: there is no column '{column}'; {hint}")
