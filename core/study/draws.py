"""`multifair study draws`: what the planted study found on all draws of the cohort that nothing was designed on.

One draw's intervals speak of its own patients, or of other seeds on them. Whether a method
gains on planted cohorts at all is a question about draws, each of which counts once here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.errors import UserError
from core.metrics.catalogue import title
from core.metrics.seeds import mean_over_seeds
from core.tables.csv_export import csv_text
from core.workspace import write_atomic

STEM = "study_planted_draws"
FILE = re.compile(r"study_planted_draw(\d+)_differences\.csv")
"""A draw with a number in its name is blind; `study_planted_differences.csv` is the draw that the design was finished on."""
METRICS = {name: title(name) for name in ("es_auc", "auc")}


@dataclass(frozen=True)
class Draws:
    """Differences over draws, one line per pair and metric, and the same as Markdown."""

    table: pd.DataFrame
    markdown: str


def read(folder: Path) -> pd.DataFrame:
    """The paired differences of every blind draw in `folder`, with a column `draw`. UserError where there is none."""
    found = [(int(match[1]), path) for path in folder.glob("*.csv") if (match := FILE.fullmatch(path.name))]
    if not found:
        raise UserError(f"{folder} has no results of other draws: make some with multifair study planted --draw N")
    return pd.concat([pd.read_csv(path).assign(draw=draw) for draw, path in sorted(found)], ignore_index=True)


def across(differences: pd.DataFrame) -> pd.DataFrame:
    """One line per label, reference and metric: mean over draws of the seed means, Student interval between draws.

    low, high : None with one draw. smallest, largest : of the draws. above : draws with a positive difference.
    """
    lines = []
    known = differences[differences["metric"].isin(METRICS)]
    for (label, reference, metric), part in known.groupby(["label", "reference", "metric"], sort=False):
        mean = mean_over_seeds(part["difference"].to_numpy())
        lines.append(
            {
                "label": label,
                "reference": reference,
                "metric": metric,
                "difference": mean.mean,
                "low": mean.low,
                "high": mean.high,
                "smallest": mean.minimum,
                "largest": mean.maximum,
                "draws": mean.n,
                "above": int((part["difference"] > 0).sum()),
                "which": " ".join(str(d) for d in part["draw"]),
            }
        )
    return pd.DataFrame(lines)


def summarise(folder: Path) -> Draws:
    """Read the blind draws in `folder`, write `study_planted_draws.csv` and `.md` beside them, and return them."""
    differences = read(folder)
    table = across(differences)
    seeds = sorted({int(n) for n in differences["n_seeds"]})
    lines = [
        "# The planted study on other draws of the cohort",
        "",
        f"- draws {', '.join(str(d) for d in sorted(set(differences['draw'])))}, each with patients, trainings "
        f"({' or '.join(map(str, seeds))} seeds) and tuning of its own; the draw that the design was finished on is not among them",
        "- mean over draws of the paired difference, 95 % Student interval between draws, and its range over draws; every draw counts once",
        "",
        "| method | reference | draws | " + " | ".join(f"{name} difference | range" for name in METRICS.values()) + " |",
        "| --- " * (3 + 2 * len(METRICS)) + "|",
    ]
    order = table[table["metric"] == "es_auc"].sort_values(["reference", "difference"], ascending=[True, False])
    for label, reference, draws in zip(order["label"], order["reference"], order["draws"], strict=True):
        cells = [str(label), str(reference), str(draws)]
        for metric in METRICS:
            one = table[(table["label"] == label) & (table["reference"] == reference) & (table["metric"] == metric)].iloc[0]
            cells += [f"{one.difference:+.3f} [{_limit(one.low)}, {_limit(one.high)}]", f"{one.smallest:+.3f} to {one.largest:+.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    result = Draws(table, "\n".join(lines) + "\n")
    write_atomic(folder / f"{STEM}.csv", csv_text(table.round(5)))
    write_atomic(folder / f"{STEM}.md", result.markdown)
    return result


def _limit(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:+.3f}"
