"""Which groups and counts a report of runs may show to readers outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from core.audit.engine import audit
from core.audit.options import AuditOptions
from core.audit.output.document import counts_document
from core.errors import UserError
from core.report.disclosure import hidden
from core.report.suppression import LEAST, scrubbed
from core.results.predictions import from_run
from core.store import Store

COUNTS = ("n", "n_patients", "n_pos", "n_neg")


@dataclass(frozen=True)
class Disclosure:
    """What may be shown.

    limit : counts below it are not shown; 0: everything is. gone : groups of the attribute of which nothing is shown.
    rates : whether what follows from the 2 x 2 tables of the test patients is shown.
    """

    limit: int = 0
    gone: frozenset[str] = frozenset()
    rates: bool = True

    @property
    def note(self) -> str:
        """What is left out, in a sentence; empty where nothing is."""
        return f"Counts below {self.limit}, and what would reveal them, are not shown." if self.limit else ""

    def visible(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows that speak of no hidden group; columns of groups are `group` and `group_b`."""
        named = [name for name in ("group", "group_b") if name in frame.columns]
        return frame[~frame[named].isin(self.gone).any(axis=1)] if self.gone and named else frame

    def words(self, text: str) -> str:
        """A sentence without small counts."""
        return scrubbed(text, self.limit) if self.limit else text


def disclosure(store: Store, run_ids: Sequence[str], attribute: str | None, limit: int) -> Disclosure:
    """What may be shown of these runs' test patients by the attribute.

    Raises
    ------
    UserError
        When the limit is 1 or negative, or nothing could be shown.
    """
    if limit and limit < LEAST:
        raise UserError(f"--suppress {limit}: give a count of {LEAST} or more, or 0 to show all")
    if not limit or attribute is None:
        return Disclosure(limit)
    found = hidden(counts_document(audit(from_run(store, run_ids, attribute), AuditOptions(bootstrap=0))), limit)
    gone = frozenset(values[0] for names, values in found.groups if names)
    return Disclosure(limit, gone, rates=not gone and not any(found.rates.values()))


def cells_to_show(table: pd.DataFrame, shown: Disclosure, attribute: str | None) -> pd.DataFrame:
    """`core.cohort.composition.split_table` for readers outside: counts that must not be known are missing.

    Where a split has a small count by an attribute, none of its counts by that attribute is shown: only their sum, which is the split's own, is known.
    Of the attribute that the runs are compared by, the test patients' counts stand in other tables too; hidden are its hidden groups and the rows
    without a value. A total over all splits is not part of the table, so nothing can be subtracted from it.
    """
    if not shown.limit:
        return table
    made = table.astype({name: "Int64" for name in COUNTS})
    everybody = made["attribute"].isna()
    if _small(made[everybody], shown.limit):
        # The other splits would tell it, with the size of the cohort.
        made.loc[:, list(COUNTS)] = pd.NA
        return made
    for (split, name), part in made[~everybody].groupby(["split", "attribute"], sort=False):
        if split == "test" and name == attribute:
            if shown.gone:
                made.loc[part.index[part["group"].isin(shown.gone) | part["group"].isna()], list(COUNTS)] = pd.NA
        elif _small(part, shown.limit):
            made.loc[part.index, list(COUNTS)] = pd.NA
    return made


def _small(part: pd.DataFrame, limit: int) -> bool:
    counts = part[list(COUNTS)]
    return bool((counts.gt(0) & counts.lt(limit)).to_numpy().any())


def few_to_validate(table: pd.DataFrame, shown: Disclosure, attribute: str | None) -> bool:
    """Whether the sizes of groups among the validation patients, which stand beside contributions, must not be known."""
    own = table[(table["split"] == "validation") & (table["attribute"] == attribute)]
    return bool(shown.limit) and bool(own["n"].between(1, shown.limit - 1).any())
