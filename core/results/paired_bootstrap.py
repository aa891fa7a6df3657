"""Bootstrap replicates of each run's AUC and fairness summaries, drawing the same test patients for every run.

The draws depend on the patients, their groups and labels, and never on scores, so replicates of
runs that were kept one by one are paired: their differences are those of a joint bootstrap. Runs
that judged the same samples are drawn together, and all of them kept in one go.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.auc import auc, group_aucs
from core.metrics.bootstrap import AucReplicates
from core.metrics.bootstrap_stack import bootstrap_stack
from core.results.rows import Rows, kept, number, rows_of, run_key
from core.results.views import REPLICATES, auc_rows
from core.store import Store

NAMES = {"auc": "auc", "es_auc": "es_auc", "worst_group_auc": "worst_group", "max_gap": "max_gap"}
"""Our metrics -> their names in `AucReplicates.summaries`."""
KIND = "view-draws-together"
RUNS_READ = 50
"""Runs whose scores are read from the store in one query: 40 MB with 100,000 test samples."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """One run and metric: value, and replicates (R,), NaN where undefined.

    excluded : the groups that are not judged, in words. n_pos, n_neg : samples of known group.
    """

    value: float
    replicates: Floats
    excluded: str = ""
    n_pos: int = 0
    n_neg: int = 0


@dataclass(frozen=True)
class _Together:
    """Runs that judged the same samples: those of one run as `rows`, and scores (k, n) of all, a row per run."""

    runs: tuple[str, ...]
    rows: Rows
    scores: Floats

    def take(self, chosen: NDArray[np.bool_]) -> _Together:
        return _Together(self.runs, self.rows.take(chosen), self.scores[:, chosen])


def draws(store: Store, run_ids: Sequence[str], attribute: str, metric: str) -> dict[str, Draws]:
    """Paired draws of the runs on the test samples that all of them scored and whose group is known.

    A run without an estimate has NaN throughout, or is left out.
    """
    ids = list(dict.fromkeys(run_ids))
    own = _kept(store, ids, attribute)
    estimated = [run for run in ids if run in own and own[run]["values"][metric] is not None]
    if len({own[run]["samples"] for run in estimated}) > 1:
        own = kept(store, ("draws together", attribute, *(run_key(store, [run], attribute) for run in estimated)), lambda: _shared(store, estimated, attribute))
    return {run: _read(own[run], metric) for run in ids if run in own}


def _kept(store: Store, run_ids: Sequence[str], attribute: str) -> dict[str, dict[str, Any]]:
    """Every run on its own samples, from the store's cache or computed now."""
    keys = {run: run_key(store, [run], attribute) for run in run_ids}

    def gather() -> dict[str, dict[str, Any]]:
        found = store.cached_among(KIND, keys.values())
        missing = [run for run, key in keys.items() if key not in found]
        made = {keys[run]: value for one in _read_scores(store, missing, attribute) for run, value in _drawn(one).items()}
        if made:
            store.cache(KIND, made)
        found |= made
        return {run: found[key] for run, key in keys.items() if key in found}

    return kept(store, (KIND, *keys.values()), gather)  # type: ignore[no-any-return]


def _read_scores(store: Store, run_ids: Sequence[str], attribute: str) -> list[_Together]:
    """The runs' test scores, those of the same samples together."""
    runs: dict[str, list[str]] = {}
    scores: dict[str, list[Floats]] = {}
    for start in range(0, len(run_ids), RUNS_READ):
        for run, samples, score in store.score_vectors(run_ids[start : start + RUNS_READ], "test").itertuples(index=False):
            runs.setdefault(samples, []).append(str(run))
            scores.setdefault(samples, []).append(np.asarray(score, dtype=np.float64))
    return [_Together(tuple(own), rows_of(store, own[0], attribute), np.stack(scores[samples])) for samples, own in runs.items()]


def _shared(store: Store, run_ids: Sequence[str], attribute: str) -> dict[str, dict[str, Any]]:
    """The runs on the samples that all of them scored."""
    sets = _read_scores(store, run_ids, attribute)
    common = reduce(np.intersect1d, [one.rows.sample.astype(str) for one in sets])
    cut = [one.take(np.isin(one.rows.sample.astype(str), common)) for one in sets]
    # Every run's rows are in the cohort's order, so they lie side by side now.
    return _drawn(_Together(tuple(run for one in cut for run in one.runs), cut[0].rows, np.concatenate([one.scores for one in cut])))


def _drawn(one: _Together) -> dict[str, dict[str, Any]]:
    """Run -> samples (their mark), excluded, counts, values and draws by metric (packed), as JSON."""
    table = auc_rows(one.rows)[1:]
    # Whether a group is judged rests on its counts and not on scores, so it is the same for all.
    judged = np.array([row["value"] is not None for row in table], dtype=bool)
    head: dict[str, Any] = {"samples": hashlib.sha256("\n".join(map(str, one.rows.sample[one.rows.code >= 0])).encode()).hexdigest()[:12], "excluded": ", ".join(row["group"] for row in table if row["value"] is None)}
    mine = one.take(one.rows.code >= 0)
    y, code, count = mine.rows.y, mine.rows.code, len(mine.rows.groups)
    head |= {"n_pos": int(y.sum()), "n_neg": int((y == 0).sum())}
    if y.size == 0 or y.min() == y.max() or not judged.any():
        return {run: {**head, "values": dict.fromkeys(NAMES), "draws": {}} for run in one.runs}
    stack = bootstrap_stack(y, mine.scores, code, count, replicates=REPLICATES, cluster=mine.rows.patient, workers=1)
    made = {}
    for run, score, drawn in zip(mine.runs, mine.scores, stack, strict=True):
        areas = np.where(judged, group_aucs(y, score, code, count), np.nan)
        seen = AucReplicates(np.array([auc(y, score)]), areas[None]).summaries()
        found = AucReplicates(drawn.overall, np.where(judged, drawn.groups, np.nan)).summaries()
        # One group has no gap, and ES-AUC of one group would look like perfect fairness.
        known = NAMES if judged.sum() > 1 else {"auc": NAMES["auc"]}
        values = {metric: number(float(seen[name][0])) if metric in known else None for metric, name in NAMES.items()}
        made[run] = {**head, "values": values, "draws": {metric: _packed(found[name]) for metric, name in known.items()}}
    return made


def _packed(replicates: Floats) -> str:
    """Single precision, seven digits, as text: a tenth of the time and room that numbers take in JSON."""
    return base64.b64encode(replicates.astype("<f4").tobytes()).decode("ascii")


def _read(own: Mapping[str, Any], metric: str) -> Draws:
    value, packed = own["values"][metric], own["draws"].get(metric)
    replicates = np.full(REPLICATES, np.nan) if packed is None else np.frombuffer(base64.b64decode(packed), dtype="<f4").astype(np.float64)
    return Draws(np.nan if value is None else float(value), replicates, own["excluded"], own["n_pos"], own["n_neg"])
