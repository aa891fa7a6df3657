"""All methods in one table, as it goes into a paper: mean and standard deviation over seeds, and the difference from a reference."""

from __future__ import annotations

import pandas as pd

from core.audit.wording import decimal, interval
from core.metrics.catalogue import short, title

NOTHING = "—"


def method_text(table: pd.DataFrame, measure: str, reference: str | None) -> pd.DataFrame:
    """The table that `core.results.method_table.by_method` gives, written: `.842 (.012)` per metric.

    `reference`: the method that the differences are from; None where there are none.
    """
    written = {"Method": table["variant"].astype(str), "Seeds": table["seeds"].astype(int).astype(str)}
    for name in table.columns:
        if f"{name}_sd" in table.columns:
            written[short(name)] = pd.Series([_mean(mean, sd) for mean, sd in zip(table[name], table[f"{name}_sd"], strict=True)], index=table.index)
    if reference is not None and "difference" in table:
        head = f"Difference in {title(measure)} from {reference}"
        written[head] = pd.Series(
            [NOTHING if pd.isna(d) else interval(float(d), _number(lo), _number(hi), signed=True) for d, lo, hi in zip(table["difference"], table["low"], table["high"], strict=True)], index=table.index
        )  # fmt: skip
        written["p (corrected)"] = pd.Series(
            [NOTHING if pd.isna(p) else "< .001" if p < 0.001 else decimal(float(p)) for p in table["p_adjusted"]], index=table.index
        )
    return pd.DataFrame(written)


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table; bars inside cells are escaped."""
    rows = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"


def latex(frame: pd.DataFrame, caption: str) -> str:
    """A LaTeX table with rules of the package booktabs; everything is escaped, minus signs are set as such."""
    plain = frame.rename(columns=str).astype(str)
    text: str = plain.to_latex(index=False, escape=True, caption=_escaped(caption), column_format="l" + "r" * (frame.shape[1] - 1), position="htbp")
    return text.replace("\u2212", "$-$").replace(NOTHING, "--")


def _mean(mean: float, sd: float) -> str:
    if pd.isna(mean):
        return NOTHING
    return decimal(float(mean)) + ("" if pd.isna(sd) else f" ({decimal(float(sd))})")


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"}, "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, letter) for letter in text)
