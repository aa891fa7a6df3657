"""Roles as a table that can be edited, one row per column of the user's file, and back."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from core.cohort.schema import Kind, Modality, Roles
from core.errors import UserError

SAMPLE, PATIENT, LABEL, SPLIT, UNUSED = "sample id", "patient id", "label", "split", "not used"
INPUTS: dict[str, Kind] = {"image file": "image", "volume file": "volume", "text": "text", "table value": "tabular"}
NAMES = {kind: name for name, kind in INPUTS.items()}
CHOICES = (SAMPLE, PATIENT, LABEL, SPLIT, *INPUTS, UNUSED)
EXAMPLES = 3


def roles_frame(roles: Roles, table: pd.DataFrame, reasons: Mapping[str, str]) -> pd.DataFrame:
    """Columns: column, role, sensitive, modality, examples, why; in the order of the user's file."""
    single = {roles.sample_id: SAMPLE, roles.patient_id: PATIENT, roles.label: LABEL, roles.split: SPLIT}
    inputs = {column: modality for modality in roles.modalities for column in modality.columns}
    rows = []
    for column in map(str, table.columns):
        modality = inputs.get(column)
        rows.append(
            {
                "column": column,
                "role": NAMES[modality.kind] if modality else single.get(column, UNUSED),
                "sensitive": column in roles.attributes,
                "modality": modality.name if modality else "",
                "examples": ", ".join(str(v)[:40] for v in table[column].dropna().drop_duplicates().head(EXAMPLES)),
                "why": reasons.get(column, ""),
            }
        )
    return pd.DataFrame(rows)


def roles_from(frame: pd.DataFrame, positive: str, titles: Mapping[str, str] | None = None) -> Roles:
    """The roles that an edited table says. UserError names the column that does not fit."""

    def only(role: str) -> str | None:
        columns = list(frame.loc[frame["role"] == role, "column"])
        if len(columns) > 1:
            raise UserError(f"{' and '.join(columns)} are both marked as {role}; choose one")
        return str(columns[0]) if columns else None

    label = only(LABEL)
    if label is None:
        raise UserError("no column is marked as the label; choose the column that holds the outcome")
    modalities: dict[str, Modality] = {}
    for column, role, named in zip(frame["column"], frame["role"], frame["modality"], strict=True):
        kind = INPUTS.get(role)
        if kind is None:
            continue
        name = str(named or "").strip() or ("clinical" if kind == "tabular" else str(column))
        before = modalities.get(name)
        if before is not None and before.kind != kind:
            raise UserError(f"modality {name} would be both {NAMES[before.kind]} and {role}; give one of them another name")
        modalities[name] = Modality(name, kind, (*(before.columns if before else ()), str(column)))
    return Roles(
        sample_id=only(SAMPLE),
        patient_id=only(PATIENT),
        label=label,
        positive=positive,
        split=only(SPLIT),
        attributes=tuple(map(str, frame.loc[frame["sensitive"].fillna(False).astype(bool), "column"])),
        modalities=tuple(modalities.values()),
        dropped=tuple(
            str(column) for column, role, sensitive in zip(frame["column"], frame["role"], frame["sensitive"], strict=True) if role == UNUSED and not sensitive
        ),
        titles=dict(titles or {}),
    )
