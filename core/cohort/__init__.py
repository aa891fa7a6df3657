"""Patients' data: what it is, whether it can be used, and in which form it is trained on."""

from core.cohort.checks import check
from core.cohort.cohort import Cohort, CohortSummary, list_cohorts, load
from core.cohort.guess import RoleGuess, guess_roles
from core.cohort.ingest import ingest
from core.cohort.schema import Finding, Modality, Roles
from core.cohort.sources import ImageSource, open_source
from core.tables.reader import read_table

__all__ = [
    "Cohort",
    "CohortSummary",
    "Finding",
    "ImageSource",
    "Modality",
    "RoleGuess",
    "Roles",
    "check",
    "guess_roles",
    "ingest",
    "list_cohorts",
    "load",
    "open_source",
    "read_table",
]
