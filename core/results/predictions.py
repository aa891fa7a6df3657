"""Predictions of finished runs, from the store, in the form that the audit takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.audit.input.origin import Origin, SourceRun
from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.errors import UserError
from core.results.cache import memoised
from core.runs.spec import ALL_FOLDS
from core.store import Store
from core.tables.crossing import crossed_name, crossed_parts, crossed_values

BOTH = ("validation", "test")


def cohort_of(store: Store, run_id: str) -> str:
    """The cohort that a run was trained on. Raises KeyError for an unknown run."""
    return str(store.folder(run_id).read_spec()["spec"]["cohort_id"])


def group_names(store: Store, cohort_id: str, attribute: str) -> tuple[str, ...]:
    """All groups of the attribute in the whole cohort, in order: the fixed order of tables and colours."""
    return group_codes(store, cohort_id, attribute)[0]


def group_codes(store: Store, cohort_id: str, attribute: str) -> tuple[tuple[str, ...], pd.Series]:
    """(`group_names`, index of each sample's group by sample id; -1 where unknown). A cohort never changes."""

    def compute() -> tuple[tuple[str, ...], pd.Series]:
        parts = crossed_parts(attribute, known_attributes(store, cohort_id)) or (attribute,)
        frames = [store.attributes(cohort_id, part) for part in parts]
        values = [[v if isinstance(v, str) else None for v in frame["value"]] for frame in frames]
        found = Attribute.of(np.array(crossed_values(values), dtype=object))
        return found.names, pd.Series(found.codes, index=frames[0]["sample_id"].to_numpy())

    return memoised(store, ("groups", cohort_id, attribute), compute)


def from_run(store: Store, run_id: str | Sequence[str], attribute: str | Sequence[str] | None = None, splits: Sequence[str] = BOTH) -> Predictions:
    """Predictions of one or several runs of the same cohort.

    `audit` looks at the test rows and meets targets on the validation rows. A run that fits decisions
    of its own (group-specific thresholds, say) is audited at those; the others by threshold.

    Parameters
    ----------
    run_id : one run, or several to be audited and compared on the same samples.
    attribute : names of sensitive attributes; None for all of the cohort.
    splits : the splits whose rows are wanted.

    Raises
    ------
    UserError : for unknown or unfinished runs, runs of different cohorts, or an unknown attribute.
    """
    run_ids = [run_id] if isinstance(run_id, str) else list(run_id)
    cohort_id = _cohort(store, run_ids)
    frames = {name: _rows(store, name, splits) for name in run_ids}
    first, left_out = frames[run_ids[0]], 0
    if any(not frame.index.equals(first.index) for frame in frames.values()):
        shared = first.index[np.logical_and.reduce([first.index.isin(frame.index) for frame in frames.values()])]
        left_out = max(len(frame) for frame in frames.values()) - len(shared)
        frames = {name: frame.loc[shared] for name, frame in frames.items()}
        first = frames[run_ids[0]]
    if first.empty:
        raise UserError(f"the runs {', '.join(run_ids)} have no sample in common")
    findings = (AuditFinding("unaligned", "warning", f"{left_out} samples are not predicted by every run and are left out", left_out),) if left_out else ()
    patient, _ = pd.factorize(first["patient_id"])
    origin = Origin(rows_read=len(first) + left_out, runs=tuple(SourceRun(name, str(store.folder(name).read_spec()["key"])) for name in run_ids))
    return Predictions(
        sample_id=first.index.to_numpy(dtype=object),
        # Of several classes any but the first is positive, as `score` is; each class by itself: core.results.classes.
        y=(first["y"].to_numpy() > 0).astype(np.int8),
        scores={name: frame["score"].to_numpy(dtype=np.float64) for name, frame in frames.items()},
        decided={name: frame["prediction"].to_numpy(dtype=np.int8) for name, frame in frames.items() if frame["prediction"].notna().all()},
        attributes={name: _attribute(store, cohort_id, name, first.index) for name in _wanted(store, cohort_id, attribute)},
        patient=patient.astype(np.int64),
        weights=_sampling_weights(store, cohort_id, first.index),
        split=first["split"].to_numpy(dtype=object),
        source=run_ids[0] if len(run_ids) == 1 else f"{len(run_ids)} runs",
        findings=(*findings, *_of_folds(store, run_ids)),
        origin=origin.without("samples that some run did not predict", left_out),
    )


def _sampling_weights(store: Store, cohort_id: str, samples: pd.Index) -> NDArray[np.float64] | None:
    """The weights by which the cohort's rows are judged; None where it has none."""
    known: pd.Series | None = memoised(store, ("weights", cohort_id), lambda: store.sampling_weights(cohort_id))
    return None if known is None else known.reindex(samples).to_numpy(dtype=np.float64)


def _of_folds(store: Store, run_ids: Sequence[str]) -> tuple[AuditFinding, ...]:
    """What a reader must know of scores that several networks gave."""
    pooled = [name for name in run_ids if store.folder(name).read_spec()["spec"].get("fold") == ALL_FOLDS]
    if not pooled:
        return ()
    message = (
        "scores come from cross-validation: every sample is judged by the network that was not trained on its fold, and the folds are pooled; where "
        "the networks' scores lie at different heights, that counts as error"
    )
    return (AuditFinding("pooled_folds", "info", message, 0),)


def _cohort(store: Store, run_ids: Sequence[str]) -> str:
    cohorts = []
    for name in run_ids:
        try:
            cohorts.append(cohort_of(store, name))
        except KeyError:
            raise UserError(f"there is no run '{name}'; `multifair runs` lists them") from None
    if len(set(cohorts)) != 1:
        raise UserError(f"the runs {', '.join(run_ids)} are of {len(set(cohorts))} cohorts; an audit compares runs of one cohort")
    return cohorts[0]


def _rows(store: Store, run_id: str, splits: Sequence[str]) -> pd.DataFrame:
    """Scored rows of the splits in the cohort's row order, indexed by sample; shared, as a comparison of methods asks for each run with every other."""
    return memoised(store, ("rows", f"{run_id}@{store.predictions_fingerprint(run_id)}", *splits), lambda: _read_rows(store, run_id, splits))


def _read_rows(store: Store, run_id: str, splits: Sequence[str]) -> pd.DataFrame:
    frame = store.predictions(run_id, splits[0] if len(splits) == 1 else None)
    frame = frame[frame["split"].isin(list(splits)) & frame["score"].notna() & frame["y"].notna()]
    if "test" in splits and not (frame["split"] == "test").any():
        raise UserError(f"run '{run_id}' has no test predictions (yet): only finished runs can be audited")
    return frame.set_index("sample_id")


def _wanted(store: Store, cohort_id: str, attribute: str | Sequence[str] | None) -> list[str]:
    known = known_attributes(store, cohort_id)
    wanted = list(known) if attribute is None else [crossed_name(a, known) for a in ([attribute] if isinstance(attribute, str) else attribute)]
    for name in wanted:
        if not crossed_parts(name, known):
            raise UserError(f"the cohort has no attribute '{name}'; it has {', '.join(known) or 'none'}")
    return wanted


def known_attributes(store: Store, cohort_id: str) -> tuple[str, ...]:
    """The cohort's sensitive attributes."""
    return memoised(store, ("attributes", cohort_id), lambda: tuple(dict.fromkeys(store.attributes(cohort_id)["attribute"])))


def _attribute(store: Store, cohort_id: str, name: str, samples: pd.Index) -> Attribute:
    groups, codes = group_codes(store, cohort_id, name)
    known: NDArray[np.int64] = codes.reindex(samples, fill_value=-1).to_numpy(dtype=np.int64)
    return Attribute(groups, known)
