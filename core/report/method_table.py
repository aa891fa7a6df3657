"""All methods in one table, as it goes into a paper: mean and standard deviation over seeds, and the difference from a reference."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from core.audit.wording import decimal, interval
from core.metrics.catalogue import short, title
from core.report.readable import readable

NOTHING = "—"
SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\u2212": "$-$", NOTHING: r"\textemdash{}", "\u2013": r"\textendash{}", "\u2009": r"\,", "\u00a0": "~", "\u200b": "", "\u00ad": r"\-", "\u200c": "",
    "\u200d": "", "[": "{[}", "]": "{]}", "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip
"""Signs that LaTeX would run or join; brackets would be an option where they follow the end of a row."""


def method_text(table: pd.DataFrame, measure: str, reference: str | None) -> pd.DataFrame:
    """The table that `core.results.method_table.by_method` gives, written: `.842 (.012)` per metric.

    `reference`: the method that the differences are from; None where there are none.
    """
    written = {"Method": table["variant"].astype(str), "Seeds": table["seeds"].astype(int).astype(str)}
    for name in table.columns:
        if f"{name}_sd" in table.columns:
            written[short(name)] = pd.Series([mean_sd(mean, sd) for mean, sd in zip(table[name], table[f"{name}_sd"], strict=True)], index=table.index)
    if reference is not None and "difference" in table:
        head = f"Difference in {title(measure)} from {reference}"
        written[head] = pd.Series(
            [NOTHING if pd.isna(d) else interval(float(d), _number(lo), _number(hi), signed=True) for d, lo, hi
             in zip(table["difference"], table["low"], table["high"], strict=True)], index=table.index
        )  # fmt: skip
        written["p (corrected)"] = pd.Series(
            [NOTHING if pd.isna(p) else "< .001" if p < 0.001 else decimal(float(p)) for p in table["p_adjusted"]], index=table.index
        )
    return pd.DataFrame(written)


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table; bars inside cells are escaped."""
    rows = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"


def latex(frame: pd.DataFrame, caption: str, bold: Collection[tuple[int, int]] = (), label: str = "") -> str:
    """A LaTeX table with rules of the package booktabs, made narrower by graphicx where it is too wide; everything is escaped, minus signs are set as such.

    bold : (row, column) of cells to set in bold. label : for references, letters and dashes only.
    """
    rows = [[escaped(str(cell)) for cell in row] for row in frame.astype(object).itertuples(index=False, name=None)]
    rows = [[rf"\textbf{{{cell}}}" if (y, x) in bold else cell for x, cell in enumerate(row)] for y, row in enumerate(rows)]
    head = [escaped(str(name)) for name in frame.columns]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escaped(caption)}}}",
        *([rf"\label{{{label}}}"] if label else []),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (frame.shape[1] - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def mean_sd(mean: float, sd: float) -> str:
    """`.842 (.012)`; without the bracket for one seed."""
    if pd.isna(mean):
        return NOTHING
    return decimal(float(mean)) + ("" if pd.isna(sd) else f" ({decimal(float(sd))})")


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def escaped(text: str) -> str:
    """Text as LaTeX sets it, whatever it holds; letters beyond Latin stay as they are."""
    # Two hyphens would be joined to a dash, and a question or exclamation mark before a backquote to another sign.
    return "".join(SPECIAL.get(letter, letter) for letter in readable(text).replace("\n", " ")).replace("--", "-{}-") if text != NOTHING else "--"
