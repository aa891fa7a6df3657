"""The LaTeX file holds the paper's tables, compiles, and takes no text for a command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.audit.comparison.compare_models import with_comparisons
from core.errors import UserError
from core.report import paper_tables
from core.report.document import Report, Section, TableBlock
from core.report.latex import render_latex
from core.report.of_audit import audit_report

HOSTILE = r"\input{/etc/passwd} \write18{id} $x_1^2$ % & # ~ {} [b] <i> -- `a' | 中 العربية"


def document(gain: float, n: int = 900, group: str = "A") -> dict[str, Any]:
    """Two models, the second better by `gain` in the score of positives."""
    rng = np.random.default_rng(3)
    y, noise = (rng.random(n) < 0.4).astype(int), rng.normal(0, 0.2, n)
    race = rng.choice([group, "B"], n)
    scores = {"one": np.clip(0.3 + 0.1 * y + noise, 0, 1), "two": np.clip(0.3 + (0.1 + gain) * y + noise + rng.normal(0, 0.02, n), 0, 1)}
    given = Predictions.build(y, scores, {"race": race})
    return dict(json.loads(json.dumps(with_comparisons(audit(given, AuditOptions(bootstrap=0)), given).to_dict())))


def bold_heads(found: dict[str, Any]) -> dict[str, set[str]]:
    """Model -> headings of its bold cells."""
    table = paper_tables.of_audit(found, "race", "t")
    shown = table.display
    result: dict[str, set[str]] = {str(name): set() for name in shown["model"]}
    for row, column in table.bold:
        result[str(shown["model"].iloc[row])].add(str(shown.columns[column]))
    return result


def test_bold_only_where_the_paired_interval_supports_it() -> None:
    assert "AUC" in bold_heads(document(0.25))["two"]
    assert bold_heads(document(0.25))["one"] == set() or "AUC" not in bold_heads(document(0.25))["one"]
    assert not any("AUC" in heads for heads in bold_heads(document(0.0)).values())
    text = render_latex(audit_report(document(0.25)))
    assert text.count(r"\textbf{") == len(paper_tables.of_audit(document(0.25), "race", "t").bold)


def test_numbers_are_the_audit_s() -> None:
    found = document(0.1)
    frame = paper_tables.of_audit(found, "race", "t").frame.set_index(["model", "column"])["value"]
    for model, part in found["models"].items():
        own = part["attributes"]["race"]
        assert frame[model, "AUC"] == part["overall"]["auc"]
        assert frame[model, "ES-AUC"] == own["es_auc"]
        assert frame[model, "AUC, B"] == own["groups"]["B"]["auc"]
        assert frame[model, "DPD"] == own["dpd"]
        assert frame[model, "DEOdds"] == own["deodds"]


def test_structure_and_escapes() -> None:
    text = render_latex(audit_report(document(0.1, group=HOSTILE)))
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{rule}") == 1
    body = text.split(r"\begin{document}")[1]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    unescaped = [len(re.findall(r"(?<!\\)&", row)) for row in rows]
    assert len(rows) == 3 and len(set(unescaped)) == 1
    assert r"\input" not in body and r"\write" not in body
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_a_report_without_a_paper_table_says_so() -> None:
    plain = Report("r", "t", "s", "2026-01-02 03:04", (), (Section("a", blocks=(TableBlock("x", "X", pd.DataFrame({"a": [1]})),)),))
    with pytest.raises(UserError, match="no table for a paper"):
        render_latex(plain)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine: the structure is tested instead")
def test_it_compiles(tmp_path: Path) -> None:
    (tmp_path / "t.tex").write_text(render_latex(audit_report(document(0.1, group=HOSTILE))), encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    if b"booktabs.sty' not found" in done.stdout:
        pytest.skip("this LaTeX has no booktabs")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").exists()
