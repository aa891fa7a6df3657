"""Methods against each other: all runs on two axes, paired differences, settings, disagreements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from core.metrics.bootstrap import replicate_interval
from core.metrics.catalogue import lower_is_better
from core.metrics.estimate import finite_or_none
from core.metrics.multiple_testing import holm
from core.metrics.pareto import pareto_front
from core.metrics.seeds_and_patients import bounded, seeds_and_patients
from core.results.cache import memoised
from core.results.paired_bootstrap import Draws, draws
from core.results.predictions import cohort_of, group_codes
from core.results.unique_labels import flat_settings, unique_labels
from core.store import Store

PAIRS = ["variant", "against", "seeds", "value", "low", "high", "p", "sd", "value_a", "value_b", "differences", "n_pos", "n_neg", "reason"]
THRESHOLD = 0.5


def variants(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with `variant`: runs that differ in nothing but the seed share it.

    The label where it says enough, else with what differs (see `core.results.unique_labels`).
    """
    same = runs[["label", "attribute", "preset", "settings", "network", "budget"]].astype(object).where(lambda f: f.notna(), "").astype(str).agg("\x1f".join, axis=1)
    first = runs.assign(_same=same).drop_duplicates("_same").set_index("_same")
    return runs.assign(variant=same.map(unique_labels(first["label"].astype(str), first)).to_numpy())


def overview(store: Store, runs: pd.DataFrame, attribute: str, measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every run and every method as a point of AUC against `measure`.

    Both are of the test samples whose group is known and that all runs scored.

    Returns (seeds, methods). seeds: run_id, variant, method, family, seed, x, y, excluded, n_pos, n_neg. methods:
    variant, method, family, seeds, x, x_low, x_high, y, y_low, y_high, kind ("patients" or "patients and
    seeds": what the intervals account for), front (on the Pareto front of the means), excluded, n_pos, n_neg (test samples).
    """
    named = variants(runs)
    ids = list(named["run_id"])
    placed = [draws(store, ids, attribute, metric) for metric in ("auc", measure)]
    seeds = named.loc[[all(run in of_run and np.isfinite(of_run[run].value) for of_run in placed) for run in ids], ["run_id", "variant", "method", "family", "seed"]]
    if seeds.empty:
        return pd.DataFrame(), pd.DataFrame()
    seeds = seeds.sort_values("seed", kind="stable").reset_index(drop=True)
    # Again, on the samples of the runs that are left: those of the intervals and the paired differences, so that the numbers can be subtracted.
    drawn = {axis: draws(store, list(seeds["run_id"]), attribute, metric) for axis, metric in (("x", "auc"), ("y", measure))}
    for axis, of_run in drawn.items():
        seeds[axis] = [of_run[run_id].value for run_id in seeds["run_id"]]
    for name in ("excluded", "n_pos", "n_neg"):
        seeds[name] = [getattr(drawn["y"][run_id], name) for run_id in seeds["run_id"]]
    methods = pd.DataFrame([_method(str(variant), part, drawn) for variant, part in seeds.groupby("variant", sort=False)])
    if not methods.empty:
        methods["front"] = pareto_front(methods[["x", "y"]].to_numpy(), [True, not lower_is_better(measure)])
    return seeds, methods


def _method(variant: str, part: pd.DataFrame, drawn: Mapping[str, Mapping[str, Draws]]) -> dict[str, Any]:
    first = part.iloc[0]
    row: dict[str, Any] = {"variant": variant, "method": first["method"], "family": first["family"], "seeds": len(part), **{name: first[name] for name in ("excluded", "n_pos", "n_neg")}}
    row["kind"] = "patients and seeds" if len(part) > 1 else "patients"
    for axis in ("x", "y"):
        values = part[axis].to_numpy(dtype=np.float64)
        replicates = np.stack([drawn[axis][run].replicates for run in part["run_id"]])
        found = seeds_and_patients(values, replicates)
        # Near 1 an interval must stay below it: the patients' part keeps the shape that the replicates have.
        ends = replicate_interval(replicates.mean(axis=0), values.mean(), kind="bias-corrected")
        low, high = bounded(found, float(ends[0]), float(ends[1]))
        row |= {axis: float(values.mean()), f"{axis}_low": finite_or_none(max(low, 0.0)), f"{axis}_high": finite_or_none(min(high, 1.0))}
    return row


def pairs(store: Store, runs: pd.DataFrame, attribute: str, measure: str) -> pd.DataFrame:
    """Every two methods on the same test patients and the same seeds, all seeds that both have.

    Columns: variant (a), against (b), seeds (common), value (mean of a - b over seeds), low, high, p (both
    of `core.metrics.seeds_and_patients`: patients and seeds together), p_adjusted (Holm over all pairs), sd (between
    seeds), value_a, value_b (means over the common seeds), differences (one per seed), n_pos, n_neg (test samples),
    reason.
    """
    named = variants(runs)
    key = ("pairs", attribute, measure, *(f"{run_id}@{store.mark(run_id)}@{variant}" for run_id, variant in zip(named["run_id"], named["variant"], strict=True)))
    return memoised(store, key, lambda: _pairs(named, draws(store, list(named["run_id"]), attribute, measure)))


def _pairs(named: pd.DataFrame, drawn: Mapping[str, Draws]) -> pd.DataFrame:
    known = named[[run in drawn and bool(np.isfinite(drawn[run].value)) for run in named["run_id"]]]
    members = {str(variant): part.drop_duplicates("seed").set_index("seed")["run_id"] for variant, part in known.groupby("variant", sort=False)}
    rows = [_pair(a, b, members[a], members[b], drawn) for a, b in combinations(members, 2)]
    table = pd.DataFrame(rows, columns=pd.Index(PAIRS))
    numbers = ["value", "low", "high", "p", "sd", "value_a", "value_b", "n_pos", "n_neg"]
    table[numbers] = table[numbers].astype("float64")
    table["p_adjusted"] = holm(table["p"].to_numpy(dtype=np.float64))
    return table


def _pair(a: str, b: str, runs_a: pd.Series, runs_b: pd.Series, drawn: Mapping[str, Draws]) -> dict[str, Any]:
    common = sorted(set(runs_a.index) & set(runs_b.index))
    head: dict[str, Any] = {"variant": a, "against": b, "seeds": len(common)}
    if not common:
        return {**head, **dict.fromkeys(("value", "low", "high", "p", "sd", "value_a", "value_b", "n_pos", "n_neg")), "differences": [], "reason": f"{a} and {b} have no seed in common"}
    ours, theirs = ([drawn[runs[seed]] for seed in common] for runs in (runs_a, runs_b))
    value_a, value_b = (np.array([one.value for one in side]) for side in (ours, theirs))
    found = seeds_and_patients(value_a - value_b, np.stack([x.replicates - y.replicates for x, y in zip(ours, theirs, strict=True)]))
    head |= {"n_pos": ours[0].n_pos, "n_neg": ours[0].n_neg}
    return {
        **head, "value": found.mean, "low": found.low, "high": found.high, "p": found.p, "sd": found.sd, "reason": found.reason,
        "value_a": float(value_a.mean()), "value_b": float(value_b.mean()), "differences": [float(d) for d in value_a - value_b],
    }  # fmt: skip


def paired(store: Store, runs: pd.DataFrame, reference: str, attribute: str, measure: str) -> pd.DataFrame:
    """The rows of `pairs` that have the `reference` variant, turned so that value is method - reference.

    Columns: those of `pairs` without `against`, and method, family, pairs (how many p_adjusted accounts for).
    """
    table = pairs(store, runs, attribute, measure)
    named = variants(runs).drop_duplicates("variant").set_index("variant")
    forward, back = table[table["against"] == reference], table[table["variant"] == reference]
    turned = back.assign(
        variant=back["against"], value=-back["value"], low=-back["high"], high=-back["low"], value_a=back["value_b"], value_b=back["value_a"],
        differences=pd.Series([[-d for d in found] for found in back["differences"]], index=back.index, dtype=object),
    )  # fmt: skip
    found = pd.concat([turned, forward], ignore_index=True).drop(columns="against")
    return found.assign(method=found["variant"].map(named["method"]), family=found["variant"].map(named["family"]), pairs=int(table["p"].notna().sum()))


@dataclass(frozen=True)
class Lead:
    """The method with the best mean, and the others that it is shown to be ahead of (p_adjusted below alpha) or not."""

    best: str
    ahead: tuple[str, ...]
    open: tuple[str, ...]
    pairs: int

    @property
    def clear(self) -> bool:
        return bool(self.ahead) and not self.open


def lead(methods: pd.DataFrame, table: pd.DataFrame, measure: str, axis: str = "y", alpha: float = 0.05) -> Lead | None:
    """Who is ahead on one axis of `overview`, by the `pairs` of that axis' measure; None without a method."""
    if methods.empty:
        return None
    small = lower_is_better(measure)
    best = str(methods.sort_values(axis, ascending=small, kind="stable")["variant"].iloc[0])
    beaten = set()
    for row in table.to_dict("records"):
        if best in (row["variant"], row["against"]) and row["p_adjusted"] < alpha and row["value"]:
            winner = row["variant"] if (row["value"] > 0) != small else row["against"]
            if winner == best:
                beaten.add(row["against"] if row["variant"] == best else row["variant"])
    others = [str(v) for v in methods["variant"] if v != best]
    return Lead(best, tuple(v for v in others if v in beaten), tuple(v for v in others if v not in beaten), int(table["p"].notna().sum()))


def settings(runs: pd.DataFrame) -> pd.DataFrame:
    """Settings down, runs across (by `name`), as text, and whether they differ."""
    columns = {}
    for row in runs.to_dict("records"):
        values = {"method": row["method"], "attribute": row["attribute"], "seed": row["seed"], "preset": row["preset"], "device": row["device"]}
        values |= flat_settings(row)
        columns[str(row["name"])] = {name: "" if value is None else str(value) for name, value in values.items()}
    frame = pd.DataFrame(columns).fillna("—").replace("", "—")
    frame.insert(0, "setting", frame.index)
    frame.insert(1, "differs", [len(set(values)) > 1 for values in frame[list(columns)].to_numpy().tolist()])
    return frame.sort_values("differs", ascending=False, kind="stable").reset_index(drop=True)


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
    differ = disagreements(store, run_a, run_b, attribute)
    _, codes = group_codes(store, cohort_of(store, run_a), attribute)
    code = codes.reindex(store.predictions(run_a, "test")["sample_id"], fill_value=-1)
    a_right = differ["decided_a"] == differ["y"]
    found = []
    for index, group in enumerate(groups):
        part = differ["group"] == group
        found.append({"group": group, "n": int((code == index).sum()), "differ": int(part.sum()), "a_right": int((part & a_right).sum()), "b_right": int((part & ~a_right).sum())})
    return pd.DataFrame(found)
