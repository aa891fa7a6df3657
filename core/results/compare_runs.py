"""Methods against each other: all runs on two axes, paired differences, settings, disagreements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from core.metrics.catalogue import lower_is_better
from core.metrics.estimate import finite_or_none
from core.metrics.multiple_testing import holm
from core.metrics.pareto import pareto_front
from core.metrics.seeds_and_patients import mean_over_trainings
from core.results.cache import memoised
from core.results.group_tables import group_performance, summaries
from core.results.paired_differences import paired_differences
from core.results.predictions import cohort_of, group_codes
from core.results.unique_labels import flat_settings, unique_labels
from core.store import Store

PAIRS = ["variant", "against", "seeds", "value", "low", "high", "p", "sd", "value_a", "value_b", "differences", "n_pos", "n_neg", "reason"]
THRESHOLD = 0.5


def variants(runs: pd.DataFrame) -> pd.DataFrame:
    """`runs` with `variant`: runs that differ in nothing but the seed share it.

    The label where it says enough, else with what differs (see `core.results.unique_labels`).
    """
    same = (
        runs[["label", "attribute", "preset", "settings", "network", "budget"]]
        .astype(object)
        .where(lambda f: f.notna(), "")
        .astype(str)
        .agg("\x1f".join, axis=1)
    )
    first = runs.assign(_same=same).drop_duplicates("_same").set_index("_same")
    return runs.assign(variant=same.map(unique_labels(first["label"].astype(str), first)).to_numpy())


def overview(store: Store, runs: pd.DataFrame, attribute: str, measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every run and every method as a point of AUC against `measure`, both as the audit of each run has them.

    The AUC is of all test samples, the measure of those whose group is known.

    Returns (seeds, methods). seeds: run_id, variant, method, family, seed, x, y, excluded, n_pos, n_neg, n_all. methods:
    variant, method, family, seeds, x, x_low, x_high, y, y_low, y_high, kind ("patients" or "patients and
    seeds": what the intervals account for), front (on the Pareto front of the means), excluded (groups left out), n_pos,
    n_neg (test samples of known group), n_all (all test samples, those without a recorded group included).
    """
    named = variants(runs)[["run_id", "variant", "method", "family", "seed"]]
    found = summaries(store, list(named["run_id"]), attribute)
    if found.empty:
        return pd.DataFrame(), pd.DataFrame()
    for axis, metric in (("x", "auc"), ("y", measure)):
        own = found[found["metric"] == metric].set_index("run_id")
        named = named.join(
            own[["value", "low", "high"]].astype("float64").rename(columns={"value": axis, "low": f"{axis}_low", "high": f"{axis}_high"}), on="run_id"
        )
        named["excluded"] = named["run_id"].map(own["excluded"])
    groups = group_performance(store, list(named["run_id"]), attribute)
    counts = groups[groups["group"].notna()].groupby("run_id")[["n_pos", "n_neg"]].sum()
    everybody = groups[groups["group"].isna()].set_index("run_id")
    counts["n_all"] = everybody["n_pos"] + everybody["n_neg"]
    known = named.join(counts, on="run_id").dropna(subset=["x", "y"]).sort_values("seed", kind="stable").reset_index(drop=True)
    if known.empty:
        return pd.DataFrame(), pd.DataFrame()
    methods = pd.DataFrame([_method(str(variant), part) for variant, part in known.groupby("variant", sort=False)])
    methods["front"] = pareto_front(methods[["x", "y"]].to_numpy(), [True, not lower_is_better(measure)])
    return known[["run_id", "variant", "method", "family", "seed", "x", "y", "excluded", "n_pos", "n_neg", "n_all"]], methods


def _method(variant: str, part: pd.DataFrame) -> dict[str, Any]:
    """Means over seeds. The patients' part of an interval is the mean of the trainings' own ones, the seeds' part adds to it."""
    first = part.iloc[0]
    row: dict[str, Any] = {
        "variant": variant,
        "method": first["method"],
        "family": first["family"],
        "seeds": len(part),
        **{name: first[name] for name in ("excluded", "n_pos", "n_neg", "n_all")},
    }
    row["kind"] = "patients and seeds" if len(part) > 1 else "patients"
    for axis in ("x", "y"):
        found = mean_over_trainings(part[axis], part[f"{axis}_low"], part[f"{axis}_high"])
        row |= {axis: found[0], f"{axis}_low": finite_or_none(max(found[1], 0.0)), f"{axis}_high": finite_or_none(min(found[2], 1.0))}
    return row


def pairs(store: Store, runs: pd.DataFrame, attribute: str, measure: str) -> pd.DataFrame:
    """Every two methods on the same test patients and the same seeds, all seeds that both have.

    Columns: variant (a), against (b), seeds (common), value (mean of a - b over seeds), low, high, p (patients and
    seeds together, see `core.results.paired_differences`), p_adjusted (Holm over all pairs), sd (between
    seeds), value_a, value_b (means over the common seeds), differences (one per seed), n_pos, n_neg (test samples),
    reason.
    """
    named = variants(runs)
    key = (
        "pairs",
        attribute,
        measure,
        *(f"{run_id}@{store.predictions_fingerprint(run_id)}@{variant}" for run_id, variant in zip(named["run_id"], named["variant"], strict=True)),
    )
    return memoised(store, key, lambda: _pairs(store, named, attribute, measure))


def _pairs(store: Store, named: pd.DataFrame, attribute: str, measure: str) -> pd.DataFrame:
    members = {str(variant): part.drop_duplicates("seed").set_index("seed")["run_id"] for variant, part in named.groupby("variant", sort=False)}
    common = {(a, b): sorted(set(members[a].index) & set(members[b].index)) for a, b in combinations(members, 2)}
    wanted = {pair: tuple(tuple(str(members[side][seed]) for seed in seeds) for side in pair) for pair, seeds in common.items() if seeds}
    found = dict(zip(wanted, paired_differences(store, wanted.values(), attribute), strict=True))  # type: ignore[arg-type]
    rows = [_pair(a, b, seeds, found[a, b][measure] if seeds else None) for (a, b), seeds in common.items()]
    table = pd.DataFrame(rows, columns=pd.Index(PAIRS))
    numbers = ["value", "low", "high", "p", "sd", "value_a", "value_b", "n_pos", "n_neg"]
    table[numbers] = table[numbers].astype("float64")
    table["p_adjusted"] = holm(table["p"].to_numpy(dtype=np.float64))
    return table


def _pair(a: str, b: str, seeds: Sequence[int], found: Mapping[str, Any] | None) -> dict[str, Any]:
    head: dict[str, Any] = {"variant": a, "against": b, "seeds": len(seeds)}
    if found is None:
        return {
            **head,
            **dict.fromkeys(("value", "low", "high", "p", "sd", "value_a", "value_b", "n_pos", "n_neg")),
            "differences": [],
            "reason": f"{a} and {b} have no seed in common",
        }
    known = [d for d in found["differences"] if d is not None]
    return {**head, **found, "differences": known, "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None}


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
    both = (
        frames[0][["y", "score", "prediction"]]
        .add_suffix("_a")
        .join(frames[1][["score", "prediction"]].add_suffix("_b"), how="inner")
        .rename(columns={"y_a": "y"})
    )
    decided = [both[f"prediction_{end}"].astype("Float64").fillna((both[f"score_{end}"] >= THRESHOLD).astype(float)).to_numpy(dtype=float) for end in "ab"]
    both = both.assign(y=(both["y"] > 0).astype(int), decided_a=decided[0].astype(int), decided_b=decided[1].astype(int)).drop(
        columns=["prediction_a", "prediction_b"]
    )
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
        found.append(
            {
                "group": group,
                "n": int((code == index).sum()),
                "differ": int(part.sum()),
                "a_right": int((part & a_right).sum()),
                "b_right": int((part & ~a_right).sum()),
            }
        )
    return pd.DataFrame(found)
