"""Questions put to a cohort before anyone trains on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from core.cohort.checks import groups, leakage, missing, structure
from core.cohort.checks.base import Check, CheckInput, CheckResult, SetAside
from core.cohort.schema import Finding, Roles
from core.cohort.splits import parse_split
from core.errors import UserError
from core.tables.splits import split_word

CHECKS: tuple[Check, ...] = (
    leakage.ConstantLabel(),
    leakage.LabelMissing(),
    leakage.LabelNotBinary(),
    leakage.LabelUncertain(),
    leakage.LabelLists(),
    structure.DuplicateIds(),
    structure.PatientInTwoSplits(),
    structure.UnusableFiles(),
    structure.UnusableWeights(),
    leakage.LabelLeakage(),
    missing.InformativeMissingness(),
    missing.ModalityMissingness(),
    structure.DuplicateImages(),
    structure.BlankImages(),
    structure.DarkImages(),
    structure.UnreadFiles(),
    groups.AttributeAsFeature(),
    groups.IdAsFeature(),
    groups.TinyGroups(),
    groups.ManyGroups(),
    groups.SimilarGroups(),
    groups.UnknownAsGroup(),
    groups.SpreadsheetDate(),
    groups.CodesBesideWords(),
    groups.ConstantAttribute(),
    groups.AttributeVaries(),
    missing.AttributeMissing(),
    structure.SplitImbalance(),
    structure.SplitNotUsed(),
    structure.PatientSides(),
    structure.PatientIdsAlike(),
    structure.PatientIdsSimilar(),
    structure.PatientFromPath(),
    structure.NoPatientId(),
    structure.FewPatients(),
    groups.ReadAsNumber(),
    groups.NotNumbers(),
    groups.ConstantColumns(),
    groups.AttributesKeptOut(),
)
_RANK = {"error": 0, "warning": 1, "info": 2}


def run_checks(data: CheckInput) -> list[CheckResult]:
    """Every check's result, in the order of `CHECKS`."""
    return [check.run(data) for check in CHECKS]


def findings_of(results: Sequence[CheckResult]) -> list[Finding]:
    """All findings, the gravest first."""
    return sorted((f for r in results for f in r.findings), key=lambda f: _RANK[f.severity])


def check(table: pd.DataFrame, roles: Roles, **known: Any) -> list[Finding]:
    """What is wrong with a table under these roles; `known` as in `CheckInput`."""
    if roles.split is not None and "split" not in known:
        known["split"] = _split_words(table, roles.split)
    return findings_of(run_checks(CheckInput(table, roles, **known)))


def _split_words(table: pd.DataFrame, column: str) -> list[str | None]:
    try:
        return list(parse_split(table[column], column))
    except UserError:
        return [split_word(v, column) for v in table[column]]


__all__ = ["CHECKS", "Check", "CheckInput", "CheckResult", "SetAside", "check", "findings_of", "run_checks"]
