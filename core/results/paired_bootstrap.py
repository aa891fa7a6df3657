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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audit.engine import audit
from core.audit.input.predictions import Predictions
from core.metrics.bootstrap import AucReplicates
from core.metrics.bootstrap_stack import bootstrap_stack
from core.metrics.estimate import finite_or_none
from core.results.cache import memoised, run_key
from core.results.predictions import from_run
from core.results.run_audits import OPTIONS
from core.store import Store

NAMES = {"auc": "auc", "es_auc": "es_auc", "worst_group_auc": "worst_group", "max_gap": "max_gap"}
"""Our metrics -> their names in `AucReplicates.summaries`."""
KIND = "view-draws-together"
REPLICATES = 500

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


def draws(store: Store, run_ids: Sequence[str], attribute: str, metric: str) -> dict[str, Draws]:
    """Paired draws of the runs on the test samples that all of them scored and whose group is known.

    A run without an estimate has NaN throughout, or is left out.
    """
    ids = list(dict.fromkeys(run_ids))
    own = _kept(store, ids, attribute)
    estimated = [run for run in ids if run in own and own[run]["values"][metric] is not None]
    if len({own[run]["samples"] for run in estimated}) > 1:
        own = memoised(store, ("draws together", attribute, *(run_key(store, [run], attribute) for run in estimated)), lambda: _shared(store, estimated, attribute))
    return {run: _read(own[run], metric) for run in ids if run in own}


def _kept(store: Store, run_ids: Sequence[str], attribute: str) -> dict[str, dict[str, Any]]:
    """Every run on its own samples, from the store's cache or computed now."""
    keys = {run: run_key(store, [run], attribute) for run in run_ids}

    def gather() -> dict[str, dict[str, Any]]:
        found = store.cached_among(KIND, keys.values())
        missing = [run for run, key in keys.items() if key not in found]
        sets: dict[str, list[str]] = {}
        for run, samples in (store.score_vectors(missing, "test")[["run_id", "samples"]].itertuples(index=False) if missing else ()):
            sets.setdefault(str(samples), []).append(str(run))
        made = {keys[run]: value for runs in sets.values() for run, value in _drawn(from_run(store, runs, attribute, ("test",)), attribute).items()}
        if made:
            store.cache(KIND, made)
        found |= made
        return {run: found[key] for run, key in keys.items() if key in found}

    return memoised(store, (KIND, *keys.values()), gather)


def _shared(store: Store, run_ids: Sequence[str], attribute: str) -> dict[str, dict[str, Any]]:
    """The runs on the samples that all of them scored."""
    return _drawn(from_run(store, run_ids, attribute, ("test",)), attribute)


def _drawn(predictions: Predictions, attribute: str) -> dict[str, dict[str, Any]]:
    """Run -> samples (their mark), excluded, counts, values and draws by metric (packed), as JSON."""
    mine = predictions.take(predictions.attributes[attribute].codes >= 0)
    audits = {model.model: model.attribute(attribute) for model in audit(mine, OPTIONS).models}
    # Whether a group is judged rests on its counts and not on scores, so it is the same for all.
    any_of_them = next(iter(audits.values()))
    judged = any_of_them.tables["auc"].judged
    excluded = any_of_them.point_summaries[0].left_out or ""
    head: dict[str, Any] = {"samples": hashlib.sha256("\n".join(map(str, mine.sample_id)).encode()).hexdigest()[:12], "excluded": excluded}
    y, codes = mine.y, any_of_them.grouping.codes
    head |= {"n_pos": int(y.sum()), "n_neg": int((y == 0).sum())}
    if y.size == 0 or y.min() == y.max() or not judged.any():
        return {run: {**head, "values": dict.fromkeys(NAMES), "draws": {}} for run in audits}
    stack = bootstrap_stack(y, np.stack(list(mine.scores.values())), codes, judged.size, replicates=REPLICATES, cluster=mine.clusters, workers=1)
    made = {}
    for (run, found), drawn in zip(audits.items(), stack, strict=True):
        replicates = AucReplicates(drawn.overall, np.where(judged, drawn.groups, np.nan)).summaries()
        values = {"auc": finite_or_none(found.overall_auc), **{s.metric: s.value for s in found.point_summaries if s.metric in NAMES}}
        # One group has no gap, and ES-AUC of one group would look like perfect fairness.
        known = NAMES if judged.sum() > 1 else {"auc": NAMES["auc"]}
        made[run] = {**head, "values": {m: values[m] if m in known else None for m in NAMES}, "draws": {m: _packed(replicates[name]) for m, name in known.items()}}
    return made


def _packed(replicates: Floats) -> str:
    """Single precision, seven digits, as text: a tenth of the time and room that numbers take in JSON."""
    return base64.b64encode(replicates.astype("<f4").tobytes()).decode("ascii")


def _read(own: Mapping[str, Any], metric: str) -> Draws:
    value, packed = own["values"][metric], own["draws"].get(metric)
    replicates = np.full(REPLICATES, np.nan) if packed is None else np.frombuffer(base64.b64decode(packed), dtype="<f4").astype(np.float64)
    return Draws(np.nan if value is None else float(value), replicates, own["excluded"], own["n_pos"], own["n_neg"])
