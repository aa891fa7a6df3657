"""What every column of a report's tables means: the data dictionary that travels with them."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.report.document import Report, TableBlock

NATURAL = "of the metric"
"""Unit of a value: AUC, rates and shares are between 0 and 1."""
PROBABILITY = "0 to 1"
ROWS = "rows"
MEANING: dict[str, tuple[str, str]] = {
    "model": ("Name of the audited model", ""),
    "attribute": ("Sensitive attribute; (all): everybody", ""),
    "group": ("Group of the attribute; (all), or empty in tables of runs: everybody", ""),
    "metric": ("Key of the metric, as in the audit's JSON", ""),
    "column": ("Heading in the table for a paper", ""),
    "value": ("Estimate; empty where it is not estimable", NATURAL),
    "low": ("Lower end of its interval, or of the interval of the difference", NATURAL),
    "high": ("Upper end of its interval, or of the interval of the difference", NATURAL),
    "observed": ("What the rows give, also where there are too few to judge", NATURAL),
    "estimable": ("Whether the group has the counts that the metric needs", ""),
    "reason": ("The verdict in a sentence, or why a value is missing", ""),
    "n": ("Rows of the group; in comparisons: rows compared", ROWS),
    "n_pos": ("Positive rows", ROWS),
    "n_neg": ("Negative rows", ROWS),
    "verdict": ("disparity, no disparity found, or not enough data", ""),
    "gap": ("Largest difference between groups; in the table of numbers needed: the difference planned for", NATURAL),
    "p": ("p of the difference, not corrected", PROBABILITY),
    "p_adjusted": ("p after correction for all tests of its family", PROBABILITY),
    "evidence": ("Minus the decimal logarithm of the p behind the verdict", ""),
    "p_null": ("How often chance alone gives a summary as unfavourable", PROBABILITY),
    "null_median": ("Median of the summary if all groups were alike", NATURAL),
    "null_q95": ("Of a gap: what it reaches in 5 of 100 cohorts whose groups are alike", NATURAL),
    "reference": ("Group that is compared with", ""),
    "detectable": ("Smallest difference that these rows show with the planned power", NATURAL),
    "more_patients": ("Further patients of the group for the planned difference", "patients"),
    "to_show_disparity": ("Patients each group needs to show the planned difference", "patients"),
    "to_show_none": ("Patients each group needs to show that there is none", "patients"),
    "group_a": ("The first group of a difference", ""),
    "group_b": ("The group that is subtracted", ""),
    "group_low": ("Group with the lowest value", ""),
    "group_high": ("Group with the highest value", ""),
    "difference": ("First minus second", NATURAL),
    "method": ("How interval and p are made; in tables of methods: the method that trained the model", ""),
    "worth_a_look": ("Whether the group stands out after correction", ""),
    "depth": ("How many attributes are crossed", "attributes"),
    "model_a": ("The first model of a difference", ""),
    "model_b": ("The model that is subtracted", ""),
    "value_a": ("Value of the first model", NATURAL),
    "value_b": ("Value of the second model", NATURAL),
    "mean": ("Mean over seeds", NATURAL),
    "sd": ("Standard deviation between seeds (n - 1)", NATURAL),
    "split": ("Part of the cohort: train, validation or test", ""),
    "code": ("Kind of the finding", ""),
    "columns": ("Columns that the finding is about", ""),
    "setting": ("A setting of method, network or training", ""),
    "runs": ("Runs of that value; a method's label stands for all its runs", ""),
    "seeds": ("Trainings that differ in nothing but the seed", "trainings"),
    "left_out": ("Trainings whose value is not estimable", "trainings"),
    "severity": ("error, warning or note", ""),
    "message": ("What was found in the data", ""),
    "rows": ("Rows it is about, or that were left out", ROWS),
    "remedy": ("What would correct it", ""),
    "n_patients": ("Patients of the group", "patients"),
    "prevalence": ("Share of the rows with the outcome", PROBABILITY),
    "tp": ("True positives at the operating point", ROWS),
    "fp": ("False positives at the operating point", ROWS),
    "fn": ("False negatives at the operating point", ROWS),
    "tn": ("True negatives at the operating point", ROWS),
    "threshold": ("Score from which on a prediction is positive", ""),
    "declared": ("Whether the plan declared the question", ""),
    "before": ("Value in the earlier audit", NATURAL),
    "now": ("Value in this audit", NATURAL),
    "change": ("Now minus before", NATURAL),
    "n_before": ("Rows of the group in the earlier audit", ROWS),
    "n_now": ("Rows of the group in this audit", ROWS),
    "primary": ("Whether the question was asked beforehand", ""),
    "answer": ("What the audit says to it", ""),
    "limit": ("What follows from it", ""),
    "guideline": ("Reporting guideline", ""),
    "item": ("Number or part of it", ""),
    "topic": ("What it asks for, in our words", ""),
    "state": ("computed by the report, answered by people, or open", ""),
    "where": ("Where the report says it, or the answer", ""),
    "what": ("What is told", ""),
    "term": ("Word", ""),
    "in words": ("Its meaning", ""),
    "run": ("Name of the run in this report", ""),
    "samples": ("Samples of the cohort", "samples"),
    "patients": ("Patients of the cohort", "patients"),
    "positives": ("Samples with the outcome", "samples"),
    "share": ("Share of the samples with the outcome", PROBABILITY),
    "role": ("What a column of the user's table was taken for", ""),
    "title": ("What the check looks for", ""),
    "fold": ("Fold of the cross-validation; all: its folds together; empty: the cohort's own splits", ""),
    "run_id": ("Id of the run", ""),
    "excluded": ("Groups that the summary leaves out, with their counts", ""),
    "exceeds": ("Whether the gap is shown to be beyond the tolerance", ""),
    "tests": ("Tests that the correction accounts for", "tests"),
    "epoch": ("Epoch of the training, -1 before the first", "epochs"),
    "name": ("Name of the run, or of the series that was recorded while training", ""),
    "modality": ("Modality", ""),
    "modality_b": ("The other modality, where the value is of two", ""),
    "stat": ("Mean or another summary over the steps of the epoch", ""),
    "key": ("Hash of everything that determines the run", ""),
    "cohort_id": ("Id of the cohort", ""),
    "label": ("Method and variant in words", ""),
    "family": ("Family of the method", ""),
    "seed": ("Seed of the training", ""),
    "preset": ("Preset of the settings", ""),
    "status": ("State of the run", ""),
    "created": ("When it was ordered", "UTC"),
    "started": ("When it began", "UTC"),
    "finished": ("When it ended", "UTC"),
    "seconds": ("How long it took", "seconds"),
    "device": ("Device it was trained on", ""),
    "settings": ("Settings of the method, as JSON", ""),
    "network": ("Settings of the network, as JSON", ""),
    "budget": ("Settings of the training, as JSON", ""),
    "epochs": ("Epochs trained", "epochs"),
    "seconds_left": ("Estimated time left, for runs that are not finished", "seconds"),
    "alerts": ("What was noticed while training", ""),
    "attempt": ("Which attempt succeeded", ""),
    "order": ("Place in the queue", ""),
}


def data_dictionary(report: Report) -> pd.DataFrame:
    """A row per table and column: table, title, column, type, unit, meaning."""
    rows = []
    for table in report.tables():
        for place, column in enumerate(table.frame.columns):
            meaning, unit = MEANING.get(str(column), ("", ""))
            rows.append([table.name, table.title, str(column), _kind(table.frame.iloc[:, place]), unit, meaning])
    return pd.DataFrame(rows, columns=pd.Index(["table", "title", "column", "type", "unit", "meaning"]))


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "yes or no"
    if pd.api.types.is_integer_dtype(column):
        return "whole number"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "date" if pd.api.types.is_datetime64_any_dtype(column) else "text"


def parquet(table: TableBlock) -> bytes:
    """The table as Parquet; a column of mixed values is text."""
    frame = table.frame.rename(columns=str)
    columns = {name: pa.array(_typed(frame.iloc[:, place]), from_pandas=True) for place, name in enumerate(frame.columns)}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _typed(column: pd.Series) -> pd.Series:
    if column.dtype != object:
        return column
    known = column.dropna()
    if known.map(lambda value: isinstance(value, bool)).all() and len(known):
        return column.astype("boolean")
    return column.map(lambda value: None if pd.isna(value) else str(value)).astype("string")
