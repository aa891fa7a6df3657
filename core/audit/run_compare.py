"""Methods against each other: all runs on two axes, paired differences, settings, disagreements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.audit.run_rows import cached, rows_of
from core.audit.run_views import REPLICATES, auc_rows, points, summaries
from core.metrics.paired import compare_aucs
from core.metrics.pareto import pareto_front
from core.metrics.seeds import mean_over_seeds, paired_over_seeds
from core.store import Store

MEASURES = {"auc": "auc", "es_auc": "es_auc", "worst_group_auc": "worst_group", "max_gap": "max_gap"}
"""Our measures -> their names in `core.metrics.paired`."""
SMALL_IS_GOOD = frozenset({"max_gap"})
ENOUGH_SEEDS = 3
"""From here on the spread over seeds is an interval worth drawing."""
THRESHOLD = 0.5


def variants(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with `variant`: runs that differ in nothing but the seed share it.

    The label where it says enough, else with the preset, else with the start of a run's key.
    """
    frame = runs.copy()
    same = frame[["label", "attribute", "preset", "settings", "network", "budget"]].astype(object).where(lambda f: f.notna(), "").astype(str).agg("\x1f".join, axis=1)
    first = frame.assign(_same=same).drop_duplicates("_same").set_index("_same")
    name = first["label"].astype(str)
    for extra in (" · " + first["attribute"].fillna("no attribute").astype(str), " · " + first["preset"].fillna("own").astype(str), " · " + first["key"].astype(str).str[:6]):
        name = name.where(~name.duplicated(keep=False), name + extra)
    return frame.assign(variant=same.map(name).to_numpy())


def overview(store: Store, runs: pd.DataFrame, attribute: str, measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every run and every method as a point of AUC against `measure`.

    Returns (seeds, methods). seeds: run_id, variant, method, family, seed, x, y. methods:
    variant, method, family, seeds, x, x_low, x_high, y, y_low, y_high, kind ("over seeds" or
    "over patients", which the intervals are), front (on the Pareto front), excluded.
    """
    named = variants(runs)
    # The spread over seeds needs no run's own interval: those are resampled only where a method has few seeds.
    judged = _judged(points(store, list(named["run_id"]), attribute), measure)
    few = named["variant"].map(named[named["run_id"].isin(judged)].groupby("variant").size()) < ENOUGH_SEEDS
    parts = [read(store, list(named.loc[chosen, "run_id"]), attribute) for read, chosen in ((points, ~few), (summaries, few)) if chosen.any()]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True) if any(len(part) for part in parts) else pd.DataFrame()
    if table.empty:
        return pd.DataFrame(), pd.DataFrame()
    wide = {metric: table[table["metric"] == metric].set_index("run_id") for metric in ("auc", measure)}
    seeds = named[["run_id", "variant", "method", "family", "seed"]].copy()
    for axis, metric in (("x", "auc"), ("y", measure)):
        for end, column in (("", "value"), ("_low", "low"), ("_high", "high")):
            seeds[axis + end] = seeds["run_id"].map(wide[metric][column]).astype(float)
    seeds["excluded"] = seeds["run_id"].map(wide[measure]["excluded"])
    seeds = seeds.dropna(subset=["x", "y"]).sort_values("seed").reset_index(drop=True)
    rows = [_method(str(variant), part) for variant, part in seeds.groupby("variant", sort=False)]
    methods = pd.DataFrame(rows)
    if not methods.empty:
        methods["front"] = pareto_front(methods[["x", "y"]].to_numpy(), [True, measure not in SMALL_IS_GOOD])
    return seeds, methods


def _judged(table: pd.DataFrame, measure: str) -> list[str]:
    """Runs with both an AUC and the measure."""
    if table.empty:
        return []
    known = table[table["value"].notna() & table["metric"].isin(["auc", measure])]
    return [str(run) for run, part in known.groupby("run_id", sort=False) if part["metric"].nunique() == 2]


def _method(variant: str, part: pd.DataFrame) -> dict[str, Any]:
    first = part.iloc[0]
    row: dict[str, Any] = {"variant": variant, "method": first["method"], "family": first["family"], "seeds": len(part), "excluded": first["excluded"]}
    for axis in ("x", "y"):
        over = mean_over_seeds(part[axis].to_numpy())
        if over.n >= ENOUGH_SEEDS:
            row |= {axis: over.mean, f"{axis}_low": over.low, f"{axis}_high": over.high, "kind": "over seeds"}
        else:
            # Too few seeds for a spread: the mean over them, with the mean of their intervals over patients.
            row |= {name: float(part[name].mean()) for name in (axis, f"{axis}_low", f"{axis}_high")} | {"kind": "over patients"}
    return row


def paired(store: Store, runs: pd.DataFrame, reference: str, attribute: str, measure: str) -> pd.DataFrame:
    """Each method against the `reference` variant on the same test patients and the same seed.

    The interval is the paired patient bootstrap of the lowest common seed, on the patients whose
    group is known; the differences of all seeds are those of `summaries`. Columns: variant,
    method, family, seed, value (method - reference), low, high, p, value_a, value_b, seeds
    (common seeds), mean and sd over them, wins, reason, differences (list, one per seed).
    """
    named = variants(runs)
    table = points(store, list(named["run_id"]), attribute)
    known = table[table["metric"] == measure].set_index("run_id")["value"] if len(table) else pd.Series(dtype=float)
    base = named[named["variant"] == reference].drop_duplicates("seed").set_index("seed")["run_id"]
    rows = []
    for variant, part in named[named["variant"] != reference].groupby("variant", sort=False):
        own = part.drop_duplicates("seed").set_index("seed")["run_id"]
        common = sorted(set(own.index) & set(base.index))
        head = {"variant": variant, "method": part["method"].iloc[0], "family": part["family"].iloc[0], "seeds": len(common)}
        if not common:
            rows.append({**head, "value": None, "low": None, "high": None, "p": None, "reason": f"no seed in common with {reference}", "differences": []})
            continue
        found = compare_runs(store, own[common[0]], base[common[0]], attribute)[measure]
        ours, theirs = (known.reindex(ids[common]).to_numpy(dtype=float) for ids in (own, base))
        over = paired_over_seeds(ours, theirs)
        rows.append({
            **head, "seed": common[0], **{name: found[key] for name, key in (("value", "difference"), ("low", "low"), ("high", "high"), ("p", "p"), ("value_a", "value_a"), ("value_b", "value_b"), ("reason", "reason"))},
            "mean": over.mean, "sd": over.sd, "wins": over.wins, "differences": [float(d) for d in ours - theirs if np.isfinite(d)],
        })  # fmt: skip
    return pd.DataFrame(rows)


def compare_runs(store: Store, run_a: str, run_b: str, attribute: str) -> dict[str, dict[str, Any]]:
    """Paired difference a - b of every measure on the test samples that both runs scored.

    Per measure: value_a, value_b, difference, low, high, p, reason.
    """

    def compute() -> dict[str, dict[str, Any]]:
        a, b = rows_of(store, run_a, attribute), rows_of(store, run_b, attribute)
        _, ia, ib = np.intersect1d(a.sample.astype(str), b.sample.astype(str), assume_unique=True, return_indices=True)
        if ia.size == 0:
            empty = {"value_a": None, "value_b": None, "difference": None, "low": None, "high": None, "p": None, "reason": "no test sample in common"}
            return dict.fromkeys(MEASURES, empty)
        usable = np.array([row["value"] is not None for row in auc_rows(a)[1:]], dtype=bool)
        patient = None if a.patient is None else a.patient[ia]
        found = compare_aucs(a.y[ia], a.score[ia], b.score[ib], a.code[ia], len(a.groups), replicates=REPLICATES, cluster=patient, usable=usable, workers=1)
        fields = ("value_a", "value_b", "difference", "low", "high", "p", "reason")
        return {measure: {field: getattr(found[name], field) for field in fields} for measure, name in MEASURES.items()}

    return cached(store, "paired", [run_a, run_b], attribute, compute)  # type: ignore[no-any-return]


def settings(runs: pd.DataFrame) -> pd.DataFrame:
    """Settings down, runs across (by `name`), as text, and whether they differ."""
    columns = {}
    for row in runs.to_dict("records"):
        values = {"method": row["method"], "attribute": row["attribute"], "seed": row["seed"], "preset": row["preset"], "device": row["device"]}
        for part in ("settings", "network", "budget"):
            values |= _flat(part, json.loads(row[part]) if isinstance(row[part], str) and row[part] else {})
        columns[str(row["name"])] = {name: "" if value is None else str(value) for name, value in values.items()}
    frame = pd.DataFrame(columns).fillna("—").replace("", "—")
    frame.insert(0, "setting", frame.index)
    frame.insert(1, "differs", [len(set(values)) > 1 for values in frame[list(columns)].to_numpy().tolist()])
    return frame.sort_values("differs", ascending=False, kind="stable").reset_index(drop=True)


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(f"{prefix}.{name}", value) if isinstance(value, Mapping) else {f"{prefix}.{name}": value}
    return found


def disagreements(store: Store, run_a: str, run_b: str, attribute: str) -> pd.DataFrame:
    """Test samples that the two runs decide differently, the furthest apart first.

    Columns: sample_id, group (missing where unknown), y, score_a, score_b, decided_a, decided_b. A run's own decision
    rule is used where it has one, else a threshold of .5.
    """
    frames = [store.predictions(run, "test").set_index("sample_id") for run in (run_a, run_b)]
    both = frames[0][["y", "score", "prediction"]].add_suffix("_a").join(frames[1][["score", "prediction"]].add_suffix("_b"), how="inner").rename(columns={"y_a": "y"})
    decided = [both[f"prediction_{end}"].astype("Float64").fillna((both[f"score_{end}"] >= THRESHOLD).astype(float)).to_numpy(dtype=float) for end in "ab"]
    both = both.assign(decided_a=decided[0].astype(int), decided_b=decided[1].astype(int)).drop(columns=["prediction_a", "prediction_b"])
    differ = both[both["decided_a"] != both["decided_b"]].reset_index()
    values = store.attributes(store.folder(run_a).read_spec()["spec"]["cohort_id"], attribute).set_index("sample_id")["value"]
    differ.insert(1, "group", differ["sample_id"].map(values))
    order = (differ["score_a"] - differ["score_b"]).abs().sort_values(ascending=False, kind="stable").index
    return differ.loc[order].reset_index(drop=True)


def disagreement_counts(store: Store, run_a: str, run_b: str, attribute: str, groups: Sequence[str]) -> pd.DataFrame:
    """Per group: samples, how many are decided differently, and who is right: group, n, differ, a_right, b_right."""
    rows, differ = rows_of(store, run_a, attribute), disagreements(store, run_a, run_b, attribute)
    a_right = differ["decided_a"] == differ["y"]
    found = []
    for index, group in enumerate(groups):
        part = differ["group"] == group
        found.append({"group": group, "n": int((rows.code == index).sum()), "differ": int(part.sum()), "a_right": int((part & a_right).sum()), "b_right": int((part & ~a_right).sum())})
    return pd.DataFrame(found)
