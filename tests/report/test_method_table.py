"""The table for a paper: numbers as they are written everywhere, and nothing that LaTeX or Markdown would run."""

from __future__ import annotations

import pandas as pd

from core.report.method_table import latex, markdown, method_text

NAN = float("nan")


def _table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variant": ["ERM & friends_100%", "a|b"], "seeds": [3, 1], "auc": [0.8421, 0.7], "auc_sd": [0.0123, NAN], "max_gap": [0.05, NAN],
            "max_gap_sd": [0.01, NAN],
            "difference": [NAN, -0.0312], "low": [NAN, -0.06], "high": [NAN, 0.01], "p": [NAN, 0.02], "p_adjusted": [NAN, 0.0004], "common_seeds": [None, 1],
        }
    )  # fmt: skip


def test_mean_sd_and_difference_as_they_are_written_elsewhere() -> None:
    written = method_text(_table(), "es_auc", "ERM & friends_100%")
    first, second = written.to_dict("records")
    assert first["AUC"] == ".842 (.012)" and second["AUC"] == ".700"
    assert second["gap"] == "—" if "gap" in written else True
    head = next(name for name in written if name.startswith("Difference in"))
    assert (first[head], second[head]) == ("—", "−.031 [−.060, +.010]")
    assert second["p (corrected)"] == "< .001"
    assert not any(name.startswith("Difference") for name in method_text(_table().drop(columns="difference"), "es_auc", None))


def test_names_are_text_in_latex_and_markdown() -> None:
    written = method_text(_table(), "es_auc", "ERM & friends_100%")
    tex = latex(written, "50 % of a_b")
    assert r"ERM \& friends\_100\%" in tex and r"50 \% of a\_b" in tex
    assert "$-$.031" in tex and "\u2212" not in tex
    assert tex.count(r"\\") == 3 and r"\toprule" in tex, "head and two rows"
    lines = markdown(written).splitlines()
    assert len(lines) == 4 and r"a\|b" in lines[3]
    assert all(line.replace(r"\|", "").count("|") == written.shape[1] + 1 for line in lines)
