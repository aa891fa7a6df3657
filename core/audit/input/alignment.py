"""Bring the rows of several models onto the same samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audit.input.column_roles import Mapping
from core.audit.input.predictions import AuditFinding, Predictions
from core.errors import UserError


def align_models(long: Predictions, model: NDArray[np.object_], mapping: Mapping) -> Predictions:
    """One row per sample that every model scored, from one row per sample and model.

    Labels, attributes, patients, weights and splits of a sample must agree between models. Samples
    that some model lacks are left out and counted: a paired comparison needs the same patients.
    """
    (column,) = mapping.score
    ids, sample = np.unique(long.sample_id.astype(str), return_inverse=True)
    names, which = np.unique(model.astype(str), return_inverse=True)
    table = np.full((names.size, ids.size), -1, dtype=np.int64)
    table[which, sample] = np.arange(sample.size)
    if np.count_nonzero(table >= 0) < sample.size:
        cell, counts = np.unique(which * ids.size + sample, return_counts=True)
        first = int(cell[counts > 1][0])
        raise UserError(
            f"{long.source}: model '{names[first // ids.size]}' has several rows with the {_named(mapping)} '{ids[first % ids.size]}'; keep one "
            "row for each model and sample"
        )
    complete = (table >= 0).all(axis=0)
    if not complete.any():
        raise UserError(f"{long.source}: no sample was scored by all of {', '.join(names)}; check column '{_named(mapping)}'")
    rows = table[:, complete]
    base = rows[0]
    _agree(long, rows, names, mapping)
    aligned = long.take(base)
    aligned = replace(
        aligned,
        scores={str(name): long.scores[column][rows[k]] for k, name in enumerate(names)},
        decided={str(name): long.decided[column][rows[k]] for k, name in enumerate(names)} if long.decided else {},
    )
    left_out = int((~complete).sum())
    if long.origin is not None:
        torn = int(sample.size - rows.size)
        aligned = replace(aligned, origin=replace(long.origin.without("samples that some model did not score", torn), rows_per_sample=names.size))
    if mapping.id is None:
        aligned = aligned.with_findings(
            AuditFinding(
                "aligned_by_order",
                "warning",
                f"no column names the sample, so the models' rows were put beside one another in their order; {' and '.join(_compared(mapping))} agree",
                len(aligned),
                "choose the column with the sample id if the models' rows may stand in another order",
            )
        )
    if left_out:
        aligned = aligned.with_findings(
            AuditFinding(
                "unaligned",
                "warning",
                f"{left_out} samples are not scored by every model and are left out of all",
                left_out,
                "score the same samples with every model",
            )
        )
    return aligned


def places_within(model: NDArray[np.object_], source: str) -> NDArray[np.object_]:
    """The place of each row among those of its model, from 1, as the name of its sample where no column names it.

    Raises
    ------
    UserError : models of unequal numbers of rows.
    """
    names, which, counts = np.unique(model.astype(str), return_inverse=True, return_counts=True)
    if np.unique(counts).size > 1:
        least, most = int(counts.argmin()), int(counts.argmax())
        raise UserError(
            f"{source}: model '{names[least]}' has {counts[least]} rows and '{names[most]}' has {counts[most]}, and no column names the sample: "
            "choose the column with the sample id (--id), so that models are compared on the same samples"
        )
    order = np.argsort(which, kind="stable")
    place = np.empty(model.size, dtype=np.int64)
    place[order] = np.arange(model.size) % counts[0] + 1
    return place.astype(str).astype(object)


def _agree(long: Predictions, rows: NDArray[np.int64], names: NDArray[np.str_], mapping: Mapping) -> None:
    columns: dict[str, NDArray[Any]] = {mapping.label: long.y, **{name: attribute.codes for name, attribute in long.attributes.items()}}
    for name, column in ((mapping.patient, long.patient), (mapping.weights, long.weights), (mapping.split, long.split)):
        if name is not None and column is not None:
            columns[name] = column
    for name, values in columns.items():
        for k in range(1, rows.shape[0]):
            differs = values[rows[k]] != values[rows[0]]
            if differs.any():
                row = int(np.flatnonzero(differs)[0])
                sample = long.sample_id[rows[0, row]]
                raise UserError(
                    f"{long.source}: column '{name}' differs between the models '{names[0]}' and '{names[k]}' for {_named(mapping)} '{sample}'"
                    f" ({int(differs.sum())} samples); the same sample must have the same value for every model"
                )


def _compared(mapping: Mapping) -> list[str]:
    """Columns that have to agree, as they are said."""
    return [f"'{name}'" for name in (mapping.label, *mapping.attributes, mapping.patient, mapping.weights, mapping.split) if name]


def _named(mapping: Mapping) -> str:
    return mapping.id or "row of the model number"
