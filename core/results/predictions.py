"""Predictions of finished runs, from the store, in the form that an audit takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from core.audit.input.predictions import AuditFinding, Predictions
from core.errors import UserError

if TYPE_CHECKING:
    from core.store import Store


def from_run(store: Store, run_id: str | Sequence[str], attribute: str | Sequence[str] | None = None) -> Predictions:
    """Validation and test predictions of one or several runs of the same cohort.

    `audit` looks at the test rows and meets targets on the validation rows. A run that fits decisions
    of its own (group-specific thresholds, say) is audited at those; the others by threshold.

    Parameters
    ----------
    run_id : one run, or several to be audited and compared on the same samples.
    attribute : names of sensitive attributes; None for all of the cohort.

    Raises
    ------
    UserError : for unknown or unfinished runs, runs of different cohorts, or an unknown attribute.
    """
    run_ids = [run_id] if isinstance(run_id, str) else list(run_id)
    runs = store.runs().set_index("run_id")
    for name in run_ids:
        if name not in runs.index:
            raise UserError(f"there is no run '{name}'; `multifair runs` lists them")
    cohorts = runs.loc[run_ids, "cohort_id"].unique()
    if len(cohorts) != 1:
        raise UserError(f"the runs {', '.join(run_ids)} are of {len(cohorts)} cohorts; an audit compares runs of one cohort")
    frames = {name: _predictions(store, name) for name in run_ids}
    first = frames[run_ids[0]]
    shared = first.index
    for name in run_ids[1:]:
        shared = shared.intersection(frames[name].index)
    if shared.empty:
        raise UserError(f"the runs {', '.join(run_ids)} have no sample in common")
    first = first.loc[shared]
    left_out = max(len(frame) for frame in frames.values()) - len(shared)
    findings = (AuditFinding("unaligned", "warning", f"{left_out} samples are not predicted by every run and are left out", left_out),) if left_out else ()
    decided = {name: frame.loc[shared, "prediction"] for name, frame in frames.items() if frame.loc[shared, "prediction"].notna().all()}
    return Predictions.build(
        first["y"].to_numpy(),
        {name: frame.loc[shared, "score"].to_numpy(dtype=np.float64) for name, frame in frames.items()},
        _attributes(store, str(cohorts[0]), attribute, shared),
        prediction={name: column.to_numpy(dtype=np.int8) for name, column in decided.items()},
        sample_id=shared.to_list(),
        patient=first["patient_id"].to_numpy(dtype=object),
        split=first["split"].to_numpy(dtype=object),
        source=run_ids[0] if len(run_ids) == 1 else f"{len(run_ids)} runs",
        findings=findings,
    )


def _predictions(store: Store, run_id: str) -> pd.DataFrame:
    """Rows of validation and test, indexed by sample."""
    frame = store.predictions(run_id)
    frame = frame[frame["split"].isin(["validation", "test"])]
    if not (frame["split"] == "test").any():
        raise UserError(f"run '{run_id}' has no test predictions (yet): only finished runs can be audited")
    return frame.set_index("sample_id")


def _attributes(store: Store, cohort_id: str, attribute: str | Sequence[str] | None, samples: pd.Index) -> dict[str, np.ndarray]:
    tidy = store.attributes(cohort_id)
    known = list(dict.fromkeys(tidy["attribute"]))
    wanted = known if attribute is None else [attribute] if isinstance(attribute, str) else list(attribute)
    result = {}
    for name in wanted:
        if name not in known:
            raise UserError(f"the cohort has no attribute '{name}'; it has {', '.join(known) or 'none'}")
        values = tidy[tidy["attribute"] == name].set_index("sample_id")["value"].reindex(samples)
        result[name] = values.astype(object).where(values.notna(), None).to_numpy()
    if not result:
        raise UserError("the cohort has no sensitive attribute to audit")
    return result
