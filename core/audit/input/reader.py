"""From a table of predictions to aligned arrays; what is unusable is refused or set aside and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.audit.input import table as tables
from core.audit.input.column_roles import Mapping
from core.audit.input.labels import binary, positive_values
from core.audit.input.metadata import with_metadata
from core.audit.input.origin import SourceFile, table_origin
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {
    "train": "train", "training": "train", "development": "train", "dev": "validation",
    "validation": "validation", "valid": "validation", "val": "validation", "tuning": "validation",
    "test": "test", "testing": "test", "holdout": "test", "external": "test",
}  # fmt: skip


def read_predictions(path: str | Path, mapping: Mapping, metadata: str | Path | None = None, on: str | None = None) -> Predictions:
    """Read a CSV or Parquet file of predictions.

    Rows without a label or score are set aside and counted in `findings`; anything else that
    cannot be used raises a UserError that names file, row, column and remedy.

    Parameters
    ----------
    path : the file. mapping : which column plays which role.
    metadata, on : another file, and the id that both have: columns of `mapping` that `path` lacks are taken from there.
    """
    path = Path(path)
    if metadata is None:
        if on is not None:
            raise UserError(f"--on {on} names the id that two files share: give the second one with --metadata FILE")
        return _of_files(from_table(tables.read_columns(path, mapping), mapping, path.name), path)
    if on is None:
        raise UserError(f"--metadata {Path(metadata).name} needs --on ID: the column by which its rows belong to those of {path.name}")
    return _with_metadata(path, mapping, Path(metadata), on)


def from_frame(frame: pd.DataFrame, mapping: Mapping, source: str = "the DataFrame") -> Predictions:
    """`read_predictions` for a pandas DataFrame; an index is no column.

    Raises
    ------
    UserError : as for a file.
    """
    names = [str(name) for name in frame.columns]
    mapping.check(names, source)
    columns = frame.set_axis(names, axis=1)[list(mapping.columns)]
    plain = {name: column.astype(object).where(column.notna(), None).map(_as_stored) if column.dtype == object else column for name, column in columns.items()}
    return from_table(pa.table({name: pa.chunked_array([pa.array(column, from_pandas=True)]) for name, column in plain.items()}), mapping, source)


def _as_stored(value: object) -> str | None:
    """A Python object of a mixed column as text, as a file would hold it."""
    return None if value is None else str(value)


def _with_metadata(path: Path, mapping: Mapping, metadata: Path, on: str) -> Predictions:
    available = tables.header(path)
    elsewhere = [name for name in mapping.columns if name not in available and name != on]
    if not elsewhere:
        raise UserError(f"{path.name} has every column itself, so {metadata.name} adds nothing; leave --metadata out, or name attributes that {metadata.name} has")
    own = tuple(dict.fromkeys([*(name for name in mapping.columns if name not in elsewhere), on]))
    table, finding = with_metadata(tables.read_named(path, own), tables.read_named(metadata, (on, *elsewhere)), on, path.name, metadata.name)
    predictions = _of_files(from_table(table, mapping, path.name), path, metadata, on=on)
    return predictions if finding is None else predictions.with_findings(finding)


def _of_files(predictions: Predictions, *paths: Path, on: str | None = None) -> Predictions:
    """The same predictions, with the files they were read from on record."""
    assert predictions.origin is not None
    return replace(predictions, origin=replace(predictions.origin, files=tuple(SourceFile.of(path) for path in paths), join=on))


def from_table(table: pa.Table, mapping: Mapping, source: str) -> Predictions:
    """`read_predictions` for a table that is already in memory."""
    if table.num_rows == 0:
        raise UserError(f"{source}: there is a header but no row")
    columns = _Columns(table, source)
    y = binary(columns.text(mapping.label), mapping.label, source, mapping.positive)
    scores = {name: columns.number(name) for name in mapping.score}
    usable = (y >= 0) & np.logical_and.reduce([~np.isnan(score) for score in scores.values()])
    findings = _set_aside(mapping, y, scores)
    decided = {}
    for name in mapping.prediction:
        decided[name] = binary(columns.text(name), name, source, mapping.positive)
        usable &= decided[name] >= 0
    if not usable.any():
        raise UserError(f"{source}: no row has a label and a score")
    missing = {mapping.label: y < 0, **{name: np.isnan(score) for name, score in scores.items()}, **{name: labels < 0 for name, labels in decided.items()}}
    predictions = Predictions(
        sample_id=columns.ids(mapping.id),
        y=np.where(y > 0, 1, 0).astype(np.int8),
        scores={name: np.where(usable, score, 0.0) for name, score in scores.items()},
        attributes={name: columns.attribute(name) for name in mapping.attributes},
        decided={score: np.maximum(decided[name], 0) for score, name in zip(mapping.score, mapping.prediction, strict=False)},
        patient=columns.codes(mapping.patient) if mapping.patient else None,
        weights=columns.weights(mapping.weights) if mapping.weights else None,
        split=columns.split(mapping.split) if mapping.split else None,
        findings=findings,
        source=source,
        origin=table_origin(mapping, table.num_rows, positive_values(columns.text(mapping.label), mapping.label, source, mapping.positive), missing),
    )
    model = np.asarray(columns.text(mapping.model).fill_null("unnamed").to_numpy(), dtype=object) if mapping.model else None
    if not usable.all():
        predictions = predictions.take(usable)
        model = None if model is None else model[usable]
    if model is not None:
        from core.audit.input.alignment import align_models

        return align_models(predictions, model, mapping)
    if mapping.id:
        _unique(predictions, mapping.id)
    return predictions


class _Columns:
    """Columns of one table, each turned into the array its role asks for."""

    def __init__(self, table: pa.Table, source: str) -> None:
        self.table = table
        self.source = source

    def text(self, name: str) -> pa.ChunkedArray:
        return tables.as_text(self.table[name])

    def number(self, name: str) -> NDArray[np.float64]:
        """float64 (n,), NaN where missing; refuses text and infinities with their row."""
        column = self.table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.utf8_trim_whitespace(column)
            try:
                column = column.cast(pa.float64())
            except pa.ArrowInvalid:
                self._refuse_number(name, column)
        try:
            values = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise UserError(f"{self.source}: column '{name}' is {column.type}, not numbers") from None
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise UserError(f"{self.source}, row {row + tables.FIRST_ROW}: column '{name}' is infinite; give a finite score")
        return values

    def _refuse_number(self, name: str, column: pa.ChunkedArray) -> None:
        for row, text in enumerate(column.to_pylist()):
            try:
                float(text if text is not None else "0")
            except ValueError:
                comma = " (write decimals with a point)" if text.replace(",", "", 1).lstrip("-").isdigit() else ""
                raise UserError(f"{self.source}, row {row + tables.FIRST_ROW}: column '{name}' holds '{text[:40]}', which is not a number{comma}") from None

    def ids(self, name: str | None) -> NDArray[np.object_]:
        if name is None:
            return np.arange(1, self.table.num_rows + 1).astype(str).astype(object)
        text = self.text(name)
        if text.null_count:
            row = int(np.flatnonzero(np.asarray(text.is_null()))[0])
            raise UserError(f"{self.source}, row {row + tables.FIRST_ROW}: the id in column '{name}' is missing")
        return np.asarray(text.to_numpy(), dtype=object)

    def encoded(self, name: str) -> tuple[NDArray[np.int64], list[str]]:
        """Codes (n,), -1 where missing, into the distinct texts."""
        encoded = self.text(name).combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return codes, encoded.dictionary.to_pylist()

    def attribute(self, name: str) -> Attribute:
        codes, texts = self.encoded(name)
        order = sorted(range(len(texts)), key=texts.__getitem__)
        table = np.full(len(texts) + 1, -1, dtype=np.int64)
        table[order] = np.arange(len(texts))
        return Attribute(tuple(texts[i] for i in order), table[codes])

    def codes(self, name: str) -> NDArray[np.int64]:
        """Patient codes; a row without a patient is a patient of its own."""
        codes, texts = self.encoded(name)
        return np.where(codes < 0, len(texts) + np.arange(codes.size), codes)

    def weights(self, name: str) -> NDArray[np.float64]:
        values = self.number(name)
        bad = ~(values >= 0)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise UserError(f"{self.source}, row {row + tables.FIRST_ROW}: the weight in column '{name}' is missing or negative")
        return values

    def split(self, name: str) -> NDArray[np.object_]:
        codes, texts = self.encoded(name)
        known = [SPLITS.get(text.lower()) for text in texts]
        for text, split in zip(texts, known, strict=True):
            if split is None:
                raise UserError(f"{self.source}: column '{name}' holds the split '{text}'; known are train, validation and test")
        if "test" not in known:
            raise UserError(f"{self.source}: column '{name}' has no test rows to audit")
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise UserError(f"{self.source}, row {row + tables.FIRST_ROW}: the split in column '{name}' is missing")
        return np.array(known, dtype=object)[codes]


def _set_aside(mapping: Mapping, y: NDArray[np.int8], scores: dict[str, NDArray[np.float64]]) -> tuple[AuditFinding, ...]:
    """One finding per column in which missing values cost rows."""
    missing = {mapping.label: int((y < 0).sum()), **{name: int(np.isnan(score).sum()) for name, score in scores.items()}}
    return tuple(
        AuditFinding("missing_values", "warning", f"{rows} rows have no value in column '{name}' and are left out", rows, "fill in the values, or check that they are missing at random")
        for name, rows in missing.items()
        if rows
    )


def _unique(predictions: Predictions, column: str) -> None:
    counts = pc.value_counts(pa.array(predictions.sample_id, pa.string()))
    if len(counts) == len(predictions):
        return
    repeated = [str(entry["values"]) for entry in counts.to_pylist() if entry["counts"] > 1]
    raise UserError(
        f"{predictions.source}: the id '{repeated[0]}' in column '{column}' stands in several rows ({len(repeated)} such ids); "
        "give each sample its own id, use --patient for patients with several samples, or --model if the rows are several models"
    )
