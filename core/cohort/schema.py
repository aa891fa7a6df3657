"""What a cohort is made of: the role of each column, and what was found wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from core.errors import UserError
from core.tables.finding import Finding, Severity

Kind = Literal["image", "volume", "text", "tabular"]
KINDS: tuple[str, ...] = get_args(Kind)
__all__ = ["KINDS", "RESERVED", "Finding", "Kind", "Modality", "Roles", "Severity", "stored_name", "validate"]
RESERVED = ("sample_id", "patient_id", "y", "split")
"""Columns of a cohort's table whose meaning is fixed."""


@dataclass(frozen=True)
class Modality:
    """One kind of evidence about a patient.

    Image and volume modalities name one column of file paths; text one or more
    columns that are read in order; tabular any number of value columns.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """Which column plays which part. Column names are those of the user's table."""

    sample_id: str | None
    """None: rows are numbered."""
    patient_id: str | None
    """None: every row is a patient of its own."""
    label: str
    positive: str
    """The label's value that counts as the positive class."""
    split: str | None
    """None: splits are made at ingestion."""
    attributes: tuple[str, ...]
    modalities: tuple[Modality, ...]
    dropped: tuple[str, ...] = ()
    """Columns that reach no model; kept in the table for reading."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Names for people, where the column's own name will not do."""
    uncertain: str = "exclude"
    """What uncertain marks of the label (-1) mean: exclude, negative or positive."""
    blank: str = "exclude"
    """What an empty label means: exclude, negative or positive."""
    merge: tuple[str, ...] = ()
    """Groups put together before anything else, each as `COLUMN=new:old,old`."""
    bins: tuple[str, ...] = ()
    """Bands made of numeric columns, each as `COLUMN=18,40,65`; they stand in a column of their own."""
    classes: tuple[str, ...] = ()
    """Three or more values of the label that are told apart, the first of them the one without disease:
    `positive` then means any other. Empty: positive and not."""
    cross: tuple[str, ...] = ()
    """Attributes that are taken together as one, each as `A,B`; it stands in a column of its own, `A × B`."""
    folds: int = 0
    """Folds of cross-validation to be made; 0 for none."""
    fold: str | None = None
    """Column of the table's own folds."""
    site: str | None = None
    """Column whose rows of one value stay in one split and one fold, as those of a patient do."""
    weights: str | None = None
    """Column of sampling weights (numbers from 0): how many patients a row stands for when results are judged. Training does not use them."""

    def title(self, column: str) -> str:
        return self.titles.get(column, column.replace("_", " "))

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns whose values reach a model."""
        return tuple(c for m in self.modalities for c in m.columns)

    def to_dict(self) -> dict[str, Any]:
        value = asdict(self)
        value["titles"] = dict(sorted(self.titles.items()))
        # Roles written before these existed keep their identity.
        return {k: v for k, v in value.items() if k not in _LATER or v != _LATER[k]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Roles:
        return cls(
            sample_id=value.get("sample_id"),
            patient_id=value.get("patient_id"),
            label=value["label"],
            positive=str(value["positive"]),
            split=value.get("split"),
            attributes=tuple(value.get("attributes", ())),
            modalities=tuple(Modality(m["name"], m["kind"], tuple(m["columns"])) for m in value.get("modalities", ())),
            dropped=tuple(value.get("dropped", ())),
            titles=dict(value.get("titles", {})),
            uncertain=value.get("uncertain", "exclude"),
            blank=value.get("blank", "exclude"),
            merge=tuple(value.get("merge", ())),
            bins=tuple(value.get("bins", ())),
            classes=tuple(map(str, value.get("classes", ()))),
            cross=tuple(map(str, value.get("cross", ()))),
            folds=int(value.get("folds", 0)),
            fold=value.get("fold"),
            site=value.get("site"),
            weights=value.get("weights"),
        )


_LATER: dict[str, Any] = {
    "uncertain": "exclude",
    "blank": "exclude",
    "merge": (),
    "bins": (),
    "classes": (),
    "cross": (),
    "folds": 0,
    "fold": None,
    "site": None,
    "weights": None,
}
"""Fields that came later, with the value under which they are not written."""


def validate(roles: Roles, columns: list[str]) -> None:
    """Raise UserError when the roles do not fit a table with these columns."""
    single = [roles.sample_id, roles.patient_id, roles.label, roles.split, roles.fold, roles.site, roles.weights]
    for column in (*single, *roles.attributes, *roles.feature_columns, *roles.dropped):
        if column is not None and column not in columns:
            raise UserError(f"column {column!r} is not in the table; it has: {', '.join(columns)}")
    if roles.fold is not None and (roles.folds or roles.fold == roles.split):
        raise UserError(f"the folds are those of column {roles.fold!r}: leave --folds out, and name another column with --split")
    if not roles.modalities:
        raise UserError("no modality: name at least one with --image, --volume, --text or --tabular")
    names = [m.name for m in roles.modalities]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two modalities are called {name!r}; give each a name of its own")
        if not name or not all(c.isalnum() or c in "_- ." for c in name) or name.startswith(".") or "__" in name:
            raise UserError(f"modality name {name!r}: use letters, digits, space, '-', '_' (not doubled) and '.'")
    for modality in roles.modalities:
        if modality.kind not in KINDS:
            raise UserError(f"modality {modality.name!r} has kind {modality.kind!r}; use one of {', '.join(KINDS)}")
        if not modality.columns:
            raise UserError(f"modality {modality.name!r} names no column")
        if modality.kind in ("image", "volume") and len(modality.columns) != 1:
            raise UserError(f"modality {modality.name!r}: an {modality.kind} modality takes one column of paths, not {len(modality.columns)}")
        if roles.label in modality.columns:
            raise UserError(f"column {roles.label!r} is the label and cannot be an input of modality {modality.name!r}")
    for attribute in roles.attributes:
        if attribute == roles.label:
            raise UserError(f"column {attribute!r} is the label and cannot be a sensitive attribute")
        if attribute in RESERVED:
            raise UserError(f"a sensitive attribute cannot be called {attribute!r}; rename the column")


def stored_name(column: str) -> str:
    """The name under which a column of the user's table is kept in the cohort's table."""
    return f"{column} (column)" if column in RESERVED else column
