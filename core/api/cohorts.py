"""Cohorts: a table and its files, checked and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.api.result import Result, drawn
from core.cohort.cohort import Cohort, load
from core.cohort.composition import group_counts
from core.cohort.ingest import ingest
from core.errors import UserError
from core.workspace import Workspace

if TYPE_CHECKING:
    import altair
    import pandas as pd

    from core.charts.figure import Figure
    from core.cohort.schema import Roles

CohortTable = Literal["findings", "groups", "samples"]
FINDINGS = ["severity", "code", "message", "rows", "remedy"]


class CohortResult(Result):
    """A saved cohort with what was found in it. cohort : its table, roles and arrays."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort = cohort

    @property
    def cohort_id(self) -> str:
        return self.cohort.cohort_id

    @property
    def headline(self) -> str:
        from core.charts.text import plural

        return (
            f"{self.cohort.name}: {plural(self.cohort.n, 'sample')} of {plural(self.cohort.n_patients, 'patient')}, "
            f"{int(self.cohort.positive.sum())} positive; {plural(len(self.cohort.findings), 'finding')}"
        )

    def table(self, name: CohortTable = "findings") -> pd.DataFrame:
        """A tidy table.

        Parameters
        ----------
        name : "findings" (what the checks found), "groups" (positives and negatives by attribute and group) or "samples" (one row each).

        Raises
        ------
        UserError
            For another name.
        """
        import pandas as pd

        if name == "findings":
            return pd.DataFrame([[getattr(finding, column) for column in FINDINGS] for finding in self.cohort.findings], columns=pd.Index(FINDINGS))
        if name == "groups":
            parts = [group_counts(self.cohort, attribute).assign(attribute=attribute) for attribute in self.cohort.roles.attributes]
            columns = ["attribute", "group", "n_pos", "n_neg"]
            return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=pd.Index(columns))
        if name == "samples":
            return self.cohort.table
        raise UserError(f"a cohort has no table '{name}'; there are findings, groups, samples")

    def figure(self, attribute: str | None = None) -> Figure:
        """How many samples of each group have the outcome; by the first attribute unless said otherwise."""
        from core.charts.cohort_mosaic import group_label_mosaic

        known = self.cohort.roles.attributes
        if not known or (attribute is not None and attribute not in known):
            raise UserError(f"the cohort has no sensitive attribute {attribute!r}; it has: {', '.join(known) or 'none'}")
        chosen = attribute or known[0]
        return group_label_mosaic(group_counts(self.cohort, chosen), self.cohort.roles.title(chosen))

    def chart(self, attribute: str | None = None) -> altair.TopLevelMixin:
        """`figure` as an Altair chart."""
        return drawn(self.figure(attribute))

    def to_dict(self) -> dict[str, Any]:
        from core.report.tables import plain

        cohort = self.cohort
        return {
            "cohort_id": cohort.cohort_id,
            "name": cohort.name,
            "n": cohort.n,
            "n_patients": cohort.n_patients,
            "modalities": list(cohort.modality_names),
            "attributes": list(cohort.roles.attributes),
            "classes": list(cohort.classes),
            "folds": cohort.n_folds,
            "findings": [finding.to_dict() for finding in cohort.findings],
            "columns": plain(cohort.columns),
            "roles": plain(cohort.roles.to_dict()),
            "set_aside": plain(cohort.set_aside),
        }


def ingest_cohort(
    table: str | Path,
    images: str | Path | None = None,
    *,
    roles: Roles | None = None,
    name: str | None = None,
    strict: bool = False,
    size: int | None = None,
    seed: int = 0,
    sheet: str | None = None,
    encoding: str | None = None,
    join: Sequence[str] = (),
    reasons: Mapping[str, str] | None = None,
    workspace: str | Path | Workspace | None = None,
    progress: Callable[[str], None] | None = None,
) -> CohortResult:
    """Save a table and its files as a cohort; the same content answers at once.

    Parameters
    ----------
    table : file with one row per sample, or a folder that holds `cohort.csv`.
    images : folder or zip of the files that the table names (default: the table's folder).
    roles : which column is what; guessed where None.
    name : what to call the cohort. strict : refuse it when any row has to be set aside.
    size : edge in pixels kept of images (default: from the files, at most 128). seed : of splits, when they have to be made.
    sheet, encoding : of the table, where it has several or where it is not recognised. join : further tables as "FILE:ID". reasons : column -> why it has its
    role, kept with the cohort.
    workspace : where cohorts and runs are kept (default: $MULTIFAIR_HOME, then the user's data directory).
    progress : gets a line now and then.

    Raises
    ------
    UserError
        For a table or files that cannot be used.
    """
    told = {} if progress is None else {"progress": progress}
    return CohortResult(
        ingest(
            workspace_of(workspace),
            table,
            images,
            roles,
            name,
            strict,
            size=size,
            seed=seed,
            sheet=sheet,
            encoding=encoding,
            join=join,
            reasons=reasons,
            **told,
        )
    )


def workspace_of(given: str | Path | Workspace | None) -> Workspace:
    """The workspace meant: itself, that of a folder, or the usual one."""
    return given if isinstance(given, Workspace) else Workspace.open(given)


def cohort_of(given: str | Cohort | CohortResult, workspace: Workspace) -> Cohort:
    """The cohort meant: itself, or by id or name. Raises UserError for an unknown one."""
    if isinstance(given, CohortResult):
        return given.cohort
    return given if isinstance(given, Cohort) else load(workspace, given)
