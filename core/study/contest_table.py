"""What a contest's runs come to: means over draws, one family of comparisons, and the tables for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.methods import reference
from core.metrics.multiple_testing import holm
from core.metrics.seeds import mean_over_seeds
from core.study.contest_bound import LIMIT, ORACLE
from core.study.runner import METRICS


def across(compared: pd.DataFrame) -> pd.DataFrame:
    """One line per scenario, protocol, optimizer, pair and metric: the mean over draws of the cohort.

    A draw has patients, trainings and a tuning of its own, so its difference holds all three sources of
    chance, and the Student interval between draws speaks of all of them. p_family: Holm over all
    comparisons of ES-AUC in the contest, one family. With one draw there is no interval between draws.
    """
    keys = ["scenario", "protocol", "optimizer", "label", "reference", "metric"]
    lines = []
    for key, part in compared.groupby(keys, sort=False):
        mean = mean_over_seeds(part["difference"].to_numpy(dtype=float))
        p = _p_between(part["difference"].to_numpy(dtype=float))
        inside = int(((part["low"] > 0) | (part["high"] < 0)).sum())
        lines.append(
            {**dict(zip(keys, key, strict=True)), "difference": mean.mean, "low": mean.low, "high": mean.high, "smallest": mean.minimum,
             "largest": mean.maximum,
             "draws": mean.n, "draws_without_0": inside, "p": p}
        )  # fmt: skip
    table = pd.DataFrame(lines)
    family = (table["metric"] == "es_auc").to_numpy()
    table["p_family"] = np.nan
    table.loc[family, "p_family"] = holm(table.loc[family, "p"].to_numpy(dtype=float))
    return table


def _p_between(values: NDArray[np.float64]) -> float:
    """Two-sided p of a mean of 0 from the spread between draws; NaN with one draw."""
    from scipy.stats import ttest_1samp

    known = values[np.isfinite(values)]
    return float(ttest_1samp(known, 0.0).pvalue) if len(known) > 1 and known.std() > 0 else float("nan")


def one_family(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The same tables with p_family adjusted over all comparisons of ES-AUC in all of them together."""
    found = [table["p"].where(table["metric"] == "es_auc").to_numpy(dtype=float) for table in tables]
    adjusted = holm(np.concatenate(found)) if found else np.empty(0)
    parts = np.split(adjusted, np.cumsum([len(one) for one in found])[:-1]) if found else []
    return [table.assign(p_family=part) for table, part in zip(tables, parts, strict=True)]


def markdown(
    runs: pd.DataFrame, differences: pd.DataFrame, conditions: Sequence[str], title: str = "# Contest of methods on planted cohorts", family: str = "here"
) -> str:
    """The contest for people: one table per scenario, optimizer and protocol, rows by falling ES-AUC."""
    level = title.split(" ", 1)[0]
    lines = [title, "", *(f"- {one}" for one in conditions), *(f"- {one}" for one in how_to_read(family))]
    base = reference()
    for (scenario, optimizer, protocol), part in runs.groupby(["scenario", "optimizer", "protocol"], sort=False):
        noise = part["tuning_sd"].notna().any() if "tuning_sd" in part else False
        lines += [
            "",
            f"{level}# {scenario}, {optimizer}, protocol {protocol}",
            "",
            f"| method | AUC | ES-AUC | worst-group AUC | gap | ES-AUC - {base} | p |" + (" tuning |" if noise else ""),
            "| --- | --- | --- | --- | --- | --- | --- |" + (" --- |" if noise else ""),
        ]
        means = over_draws(part).sort_values("es_auc", ascending=False)
        told = of_arm(differences, str(scenario), str(optimizer), str(protocol))
        told = told[told.reference == base].set_index("label")
        for label, row in means.iterrows():
            cells = [str(label), *(f"{row[metric]:.3f}" for metric in METRICS), *_compared(told, str(label), base)]
            if noise:
                spread = part.loc[part["label"] == label, "tuning_sd"].mean()
                cells.append("" if pd.isna(spread) else f"{spread:.3f}")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def over_draws(runs: pd.DataFrame) -> pd.DataFrame:
    """Means of METRICS by label: over the seeds of a draw, then over draws, so that every draw counts once."""
    return runs.groupby(["label", "draw"])[list(METRICS)].mean().groupby("label").mean()


def of_arm(differences: pd.DataFrame, scenario: str, optimizer: str, protocol: str) -> pd.DataFrame:
    """The comparisons of ES-AUC of one scenario, optimizer and protocol."""
    inside = (differences.scenario == scenario) & (differences.optimizer == optimizer) & (differences.protocol == protocol)
    return differences[inside & (differences.metric == "es_auc")]


def _compared(told: pd.DataFrame, label: str, base: str) -> tuple[str, str]:
    if label == base:
        return "reference", ""
    if label not in told.index:
        return "", ""
    one = told.loc[label]
    if pd.isna(one["difference"]):
        return "not estimable", ""
    limits = "-" if pd.isna(one["low"]) else f"[{one['low']:+.3f}, {one['high']:+.3f}]"
    return f"{one['difference']:+.3f} {limits}", "-" if pd.isna(one["p_family"]) else f"{one['p_family']:.2f}"


def how_to_read(family: str) -> list[str]:
    """What the columns and the rows that peek mean."""
    return [
        "protocol a: methods that fit more than weights by gradients may do so on validation; protocol b: validation only selects, and that fit is "
        "cross-fitted within training (DFR: on a third of training set aside)",
        "difference: mean over draws of the paired difference of ES-AUC, 95 % Student interval between draws (patients, trainings, tuning and draws "
        f"together; '-' with one draw), p Holm-adjusted over all comparisons {family}",
        "tuning: how far (standard deviation) the ES-AUC on test moves with the validation patients that chose among the trials; part of the "
        "interval, because every draw is tuned anew",
        f"{ORACLE}: group weights fitted on the test labels by cross-entropy, so about the most that mixing these unimodal classifiers gives in AUC "
        "and ES-AUC together",
        f"{LIMIT}: the same with the highest ES-AUC found, whatever its AUC; no mixture of these classifiers is shown to go beyond",
        "a row is named better than another only where the adjusted p is below .05",
    ]
