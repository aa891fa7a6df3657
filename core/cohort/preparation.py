"""What is done to a user's table before roles are looked at: merged groups, bands, patients named in paths."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.cohort.composed_names import add_composed_names
from core.cohort.patients import add_path_patients
from core.cohort.schema import Roles
from core.cohort.sides import add_sides
from core.cohort.sources import ImageSource
from core.errors import UserError
from core.tables.crossing import CROSS, crossed_name, crossed_values
from core.tables.groups import merged, parse_merges
from core.tables.numbers import to_number

BAND = " band"
"""Ending of the column that holds the bands of a numeric one."""


def prepared(
    table: pd.DataFrame, merge: Sequence[str] = (), bins: Sequence[str] = (), source: ImageSource | None = None, cross: Sequence[str] = ()
) -> pd.DataFrame:
    """The table with groups merged as said, a column of bands for each of `bins`, and patients, sides and views that only its paths name.

    `source`: where files without a column of their own are looked for by ids put together (`core.cohort.composed_names`).
    `merge`: `COLUMN=new:old,old`; `bins`: `COLUMN=18,40,65`, edges increasing. Raises UserError
    for what does not fit the table.
    """
    columns = {c: [v for v in table[c].unique() if isinstance(v, str)] for c in {t.partition("=")[0].strip() for t in merge} if c in table}
    for column, changes in parse_merges(merge, columns).items():
        table = table.assign(**{column: merged(table[column], changes)})
    for text in bins:
        column, edges = parse_bins(text)
        if column not in table:
            raise UserError(f"--bins {text}: column {column!r} is not in the table; it has: {', '.join(table.columns)}")
        table = table.assign(**{f"{column}{BAND}": bands(table[column], edges, text)})
    for text in cross:
        table = _crossed(table, text)
    return add_sides(add_path_patients(table if source is None else add_composed_names(table, source)), source)


def _crossed(table: pd.DataFrame, text: str) -> pd.DataFrame:
    """The table with a column of the intersections of the attributes in `A,B`. Raises UserError."""
    name = crossed_name(text, ())
    parts = name.split(CROSS)
    lacking = [part for part in parts if part not in table]
    if lacking or len(parts) < 2:
        wrong = (
            f"column {lacking[0]!r} is not in the table; it has: {', '.join(table.columns)}"
            if lacking
            else "name two or more attributes, for example --cross sex,race"
        )
        raise UserError(f"--cross {text}: {wrong}")
    return table.assign(**{name: pd.Series(crossed_values([table[part] for part in parts]), index=table.index, dtype=object)})


def prepared_for(table: pd.DataFrame, roles: Roles, source: ImageSource | None = None) -> pd.DataFrame:
    """`prepared` as the roles say."""
    return prepared(table, roles.merge, roles.bins, source, roles.cross)


def parse_bins(text: str) -> tuple[str, list[float]]:
    """`age=18,40,65` as the column and its edges. Raises UserError."""
    column, sign, numbers = text.partition("=")
    try:
        edges = [float(n) for n in numbers.split(",")]
    except ValueError:
        edges = []
    if not sign or not column.strip() or not edges or not np.isfinite(edges).all() or any(b <= a for a, b in itertools.pairwise(edges)):
        raise UserError(f"--bins {text}: write COLUMN=18,40,65 with increasing edges")
    return column.strip(), edges


def bands(values: pd.Series, edges: Sequence[float], text: str) -> pd.Series:
    """The band of each value, None where it has none; a band holds its lower edge and not its upper one. Raises UserError."""
    from core.audit.input.banding import band_labels

    numbers = to_number(values)
    if numbers is None:
        raise UserError(f"--bins {text}: column {values.name!r} holds no numbers")
    labels = np.array(band_labels(edges), dtype=object)
    known = numbers.to_numpy(dtype=float)
    place = np.searchsorted(np.asarray(edges), np.nan_to_num(known), side="right")
    return pd.Series(np.where(np.isnan(known), None, labels[place]), index=values.index, dtype=object)
