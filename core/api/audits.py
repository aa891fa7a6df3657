"""Audits of anybody's predictions, and comparisons of models on the same patients."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.api.result import Result, drawn
from core.audit.engine import audit
from core.audit.input.column_roles import Mapping
from core.audit.input.predictions import Predictions
from core.audit.input.reader import from_frame, read_predictions
from core.audit.options import AuditOptions
from core.audit.output.document import Progress
from core.errors import UserError

if TYPE_CHECKING:
    import altair
    import numpy as np
    import pandas as pd

    from core.audit.result import Audit
    from core.charts.figure import Figure
    from core.report.audit_headline import Headline

    Values = Sequence[Any] | np.ndarray | pd.Series
    Data = str | Path | pd.DataFrame

AuditTable = Literal["groups", "summaries", "tests", "verdicts", "against_rest", "power", "comparisons"]
ALL = "(all)"
READ, COMPARED = 0.05, 0.4
"""Share of an audit that is done when the file is read, and when several models are compared."""


class AuditResult(Result):
    """An audit of one or several models.

    audit : every number, computed when it is first asked for. document : what `multifair audit --json` prints.
    """

    def __init__(self, audit: Audit) -> None:
        self.audit = audit

    @cached_property
    def document(self) -> dict[str, Any]:
        return self.audit.to_dict()

    def compute(self, progress: Progress) -> None:
        """Compute everything that the document holds, and say how far that is."""
        self.__dict__["document"] = self.audit.to_dict(progress)

    def to_dict(self) -> dict[str, Any]:
        return self.document

    @property
    def has_disparity(self) -> bool:
        """Whether a disparity was found in what the audit was declared to look for."""
        return self.audit.has_disparity

    @cached_property
    def answer(self) -> Headline:
        """What the audit says first: `sentence` and `word` of what was asked beforehand, `exploratory` of all else."""
        from core.report.audit_headline import headline

        return headline(self.document)

    @property
    def headline(self) -> str:
        return self.answer.sentence

    def table(self, name: AuditTable = "groups") -> pd.DataFrame:
        """A tidy table.

        Parameters
        ----------
        name : "groups" (an estimate per model, attribute, group and metric), "summaries", "tests" (pairs of groups),
            "verdicts", "against_rest", "power" or "comparisons" (paired differences of models).

        Raises
        ------
        UserError
            For another name.
        """
        from core.report import audit_tables

        makers = {
            "groups": audit_tables.groups_table,
            "summaries": audit_tables.summaries_table,
            "tests": audit_tables.tests_table,
            "verdicts": audit_tables.verdicts_table,
            "against_rest": audit_tables.rest_table,
            "power": audit_tables.power_table,
            "comparisons": audit_tables.comparisons_table,
        }
        if name not in makers:
            raise UserError(f"an audit has no table '{name}'; there are {', '.join(makers)}")
        return makers[name](self.document)

    def summary_table(self) -> pd.DataFrame:
        return self.table("verdicts")[["model", "attribute", "metric", "verdict", "reason"]]

    def figure(self, attribute: str | None = None, metric: str = "auc") -> Figure:
        """Every verdict of the first model; with `attribute` the metric by group with intervals.

        Raises
        ------
        UserError
            For an attribute or a metric that the audit does not have.
        """
        from core.charts.audit_forest import metric_forest
        from core.charts.audit_matrix import verdict_matrix

        if attribute is None:
            verdicts = self.table("verdicts")
            return verdict_matrix(verdicts[verdicts["model"] == self.document["model"]])
        groups = self.table("groups")
        for name, value in (("attribute", attribute), ("metric", metric)):
            known = [known for known in dict.fromkeys(groups[name]) if known != ALL]
            if value not in known:
                raise UserError(f"the audit has no {name} '{value}'; there are {', '.join(known)}")
        of_metric = groups[groups["metric"] == metric]
        return metric_forest(of_metric[of_metric["attribute"] == attribute], of_metric[of_metric["attribute"] == ALL], attribute, metric)

    def chart(self, attribute: str | None = None, metric: str = "auc") -> altair.TopLevelMixin:
        """`figure` as an Altair chart."""
        return drawn(self.figure(attribute, metric))


class ModelComparison(AuditResult):
    """Several models on the same patients, each against the first one."""

    @property
    def headline(self) -> str:
        from core.report.audit_headline import comparison_headline

        return comparison_headline(self.table("comparisons"))

    def table(self, name: AuditTable = "comparisons") -> pd.DataFrame:
        """As of an audit; by default the paired differences."""
        return super().table(name)

    def summary_table(self) -> pd.DataFrame:
        from core.report.audit_comparisons import comparison_text, is_first

        rows = self.table("comparisons")
        return comparison_text(rows[is_first(rows)])

    def figure(self, attribute: str | None = None, metric: str = "auc") -> Figure:
        """Differences from the first model with intervals: of the overall AUC, or with `attribute` of a summary over its groups.

        Raises
        ------
        UserError
            For an attribute or a metric of which there is no difference.
        """
        import pandas as pd

        from core.charts.comparison import paired_forest
        from core.metrics.multiple_testing import holm

        rows = self.table("comparisons")
        chosen = rows[(rows["attribute"] == (attribute or ALL)) & (rows["group"] == ALL) & (rows["metric"] == metric)]
        if chosen.empty:
            summaries = rows[rows["group"] == ALL]
            known = [f"{m}" if a == ALL else f"{m} by {a}" for a, m in dict.fromkeys(zip(summaries["attribute"], summaries["metric"], strict=True))]
            raise UserError(f"there is no difference in '{metric}'" + (f" by '{attribute}'" if attribute else "") + f"; there are {', '.join(known)}")
        overall = self.document["overall"]
        frame = chosen.rename(columns={"model_a": "variant", "difference": "value"}).drop(columns=["model_b"]).reset_index(drop=True)
        frame = frame.drop(columns=["p_adjusted"]).assign(
            p_adjusted=holm(frame["p"].to_numpy(dtype="float64")), seeds=1, sd=float("nan"), pairs=len(frame), n_pos=overall["n_pos"], n_neg=overall["n_neg"]
        )
        frame["differences"] = pd.Series([[]] * len(frame), dtype=object)
        figure = paired_forest(frame, str(chosen["model_b"].iloc[0]), metric)
        return replace(
            figure,
            note="The same patients for every model; 95 % intervals. Blue is better, orange worse, grey unclear after correction for the number "
            "of models (Holm).",
            terms=("paired", "interval"),
        )


def audit_predictions(
    data: Data | None = None,
    *,
    label: str | Values | None = None,
    score: str | Sequence[str] | Values | Dictionary[str, Values] | None = None,
    attributes: str | Sequence[str] | Dictionary[str, Values] | None = None,
    prediction: str | Sequence[str] | Values | Dictionary[str, Values] | None = None,
    patient: str | Values | None = None,
    id: str | Values | None = None,
    model: str | None = None,
    weights: str | Values | None = None,
    split: str | Values | None = None,
    positive: str | None = None,
    columns: Mapping | None = None,
    metadata: str | Path | None = None,
    on: str | None = None,
    source: str | None = None,
    options: AuditOptions | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Audit predictions for fairness: estimates by group with intervals, tests, summaries and verdicts.

    Parameters
    ----------
    data : a file (CSV, Parquet, ...) or a DataFrame with one row per sample; the roles below are then names of its
        columns. None: the roles are arrays of length n, one value per sample.
    label : true label, two values.
    score : higher means more likely positive; several columns (or a mapping from name to array) are several models.
    attributes : sensitive attributes, names or a mapping from name to array. Numbers of many values are banded.
    prediction : predicted label, used for the rates instead of a threshold; one for each score.
    patient : patient of the sample, where patients have several. id : id of the sample.
    model : column with the model's name, for models below each other. weights : sampling weights.
    split : train, validation or test; test rows are audited, and a target's threshold is chosen on validation rows.
    positive : label value that means positive, where it cannot be guessed.
    columns : all roles as one value, instead of the above.
    metadata, on : another file that holds attributes, and the id that joins it (files only).
    source : what to call the data in messages and provenance (default: the file's name).
    options : operating point, tolerance, bands, declared attributes and metrics, seed (default: `AuditOptions()`).
    progress : is told the share that is done, from 0 to 1, and what comes next; everything is then computed at once.

    Returns
    -------
    AuditResult
        With `.headline`, `.table()`, `.chart()`, `.to_json()`; several models are compared with the first one as well.

    Raises
    ------
    UserError
        For input that cannot be used, naming row or column and the way to mend it.

    Examples
    --------
    >>> import numpy as np
    >>> from core import AuditOptions, audit_predictions
    >>> y = np.tile([0, 1], 60)
    >>> result = audit_predictions(label=y, score=y * 0.6 + 0.2, attributes={"sex": np.repeat(["F", "M"], 60)},
    ...                            options=AuditOptions(bootstrap=0))
    >>> result.table("summaries").set_index("metric")["value"]["max_gap"]
    np.float64(0.0)
    """
    roles = {
        "label": label, "score": score, "attributes": attributes, "prediction": prediction, "patient": patient, "id": id,
        "model": model, "weights": weights, "split": split, "positive": positive,
    }  # fmt: skip
    if progress is None:
        return AuditResult(_audited(_predictions(data, roles, columns, metadata, on, source), options))
    progress(0.0, "reading the file")
    predictions = _predictions(data, roles, columns, metadata, on, source)
    several = len(predictions.models) > 1
    progress(READ, "comparing the models" if several else "estimating")
    result, start = AuditResult(_audited(predictions, options)), COMPARED if several else READ
    result.compute(lambda share, what: progress(start + (1 - start) * share, what))
    return result


def compare_models(data: Data | None = None, *, options: AuditOptions | None = None, reference: str | None = None, **roles: Any) -> ModelComparison:
    """Compare models on the same patients: paired differences of every estimate and fairness summary.

    Parameters
    ----------
    data, options, roles : as in `audit_predictions`, with at least two models.
    reference : the model that the others are set against (default: the first).

    Returns
    -------
    ModelComparison
        An audit of all models whose `.table()` and `.chart()` are about their differences.

    Raises
    ------
    UserError
        For input that cannot be used, a single model, or an unknown reference.
    """
    columns, metadata, on, source = (roles.pop(name, None) for name in ("columns", "metadata", "on", "source"))
    predictions = _predictions(data, roles, columns, metadata, on, source)
    if len(predictions.models) < 2:
        raise UserError(f"{predictions.source}: there is one model, '{predictions.models[0]}', and a comparison needs two or more; name several scores")
    if reference is not None:
        if reference not in predictions.models:
            raise UserError(f"{predictions.source}: there is no model '{reference}'; there are {', '.join(predictions.models)}")
        order = [reference, *(name for name in predictions.models if name != reference)]
        predictions = replace(predictions, scores={name: predictions.scores[name] for name in order})
    return ModelComparison(_audited(predictions, options))


def _audited(predictions: Predictions, options: AuditOptions | None) -> Audit:
    """The audit, with every further model set against the first one."""
    found = audit(predictions, options)
    if len(predictions.models) < 2:
        return found
    from core.audit.comparison.compare_models import with_comparisons

    return with_comparisons(found, predictions)


def _predictions(
    data: Data | None, roles: Dictionary[str, Any], columns: Mapping | None, metadata: str | Path | None, on: str | None, source: str | None
) -> Predictions:
    found = _read(data, roles, columns, metadata, on)
    if source is None:
        return found
    files = () if found.origin is None else found.origin.files
    origin = found.origin if not files or found.origin is None else replace(found.origin, files=(replace(files[0], name=source), *files[1:]))
    return replace(found, source=source, origin=origin)


def _read(data: Data | None, roles: Dictionary[str, Any], columns: Mapping | None, metadata: str | Path | None, on: str | None) -> Predictions:
    given = {name: value for name, value in roles.items() if value is not None}
    if columns is None:
        for name in ("label", "score", "attributes"):
            if name not in given:
                raise UserError(f"say which values are the {name}: {name}=..." + (" (a column's name)" if data is not None else " (an array)"))
    elif given:
        raise UserError(f"give the roles one by one or as columns=..., not both ({', '.join(given)})")
    if data is None:
        if columns is not None or metadata is not None:
            raise UserError("columns and metadata belong to a file or a DataFrame: give it as the first argument")
        return _from_arrays(given)
    named = columns or _mapping(given)
    if isinstance(data, (str, Path)):
        return read_predictions(data, named, metadata, on)
    if metadata is not None or on is not None:
        raise UserError("metadata is joined to a file; join a DataFrame with pandas' merge first")
    return from_frame(data, named)


def _mapping(given: Dictionary[str, Any]) -> Mapping:
    """Roles as column names; one name may stand for a list of one."""
    several = ("score", "attributes", "prediction")
    for name, value in given.items():
        if not isinstance(value, str) and (name not in several or not all(isinstance(part, str) for part in value)):
            raise UserError(f"{name}: with a file or a DataFrame, give the name of a column")
    named: dict[str, Any] = {
        name: (value,) if name in several and isinstance(value, str) else tuple(value) if name in several else value for name, value in given.items()
    }
    return Mapping(**named)


def _from_arrays(given: Dictionary[str, Any]) -> Predictions:
    if not isinstance(given["attributes"], Dictionary):
        raise UserError("attributes: give a mapping from name to one value per sample, for example {'sex': sex}")
    for name in ("model", "positive"):
        if name in given:
            raise UserError(f"{name} belongs to a file or a DataFrame; with arrays give labels as 0 and 1, and several models as {{name: scores}}")
    more = {
        new: given[old]
        for old, new in (("prediction", "prediction"), ("patient", "patient"), ("id", "sample_id"), ("weights", "weights"), ("split", "split"))
        if old in given
    }
    return Predictions.build(given["label"], given["score"], given["attributes"], **more)
