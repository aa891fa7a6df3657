"""What CI.md tells a pipeline to run does what it says, on the example predictions."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.runs.sample_runs import shipped_folder

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"^\s*(?:- |- run: |run: )?(multifair (?:audit|plan-audit|report) .*)$", re.MULTILINE)


def commands() -> list[list[str]]:
    return [shlex.split(line) for line in COMMAND.findall((ROOT / "CI.md").read_text(encoding="utf-8"))]


def ran(words: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """One line of the example, its output redirected as the shell would; fewer draws, as the gate does not rest on them."""
    target = words[words.index(">") + 1] if ">" in words else None
    arguments = words[1 : words.index(">")] if target else words[1:]
    capsys.readouterr()
    code = main([*arguments, *(["--bootstrap", "0"] if words[1] == "audit" else [])])
    if target:
        Path(target).write_text(capsys.readouterr().out, encoding="utf-8")
    return code


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "predictions.csv").write_bytes((shipped_folder().parent / "predictions.csv").read_bytes())
    plan, audit, report = commands()[:3]
    assert ran(plan, capsys) == 0 and ran(audit, capsys) == 0
    assert ran([*report[: report.index("--format") + 1], "html,json", *report[report.index("--out") :]], capsys) == 0
    found = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert found["plan"] and {v["verdicts"]["auc"]["verdict"] for v in found["attributes"].values()} <= {"not enough data", "no disparity found"}
    others = [words for words in commands()[3:] if words[1] == "audit"]
    assert others and all(words == audit for words in others)


def test_the_gate_closes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    n = 1200
    sex, y = rng.choice(["F", "M"], n), rng.integers(0, 2, n)
    pd.DataFrame({"y": y, "s": np.where(sex == "F", y * 0.6, 0) + rng.random(n) * 0.4, "sex": sex}).to_csv(tmp_path / "p.csv", index=False)
    gate = ["audit", str(tmp_path / "p.csv"), "--label", "y", "--score", "s", "--attributes", "sex", "--bootstrap", "0", "--fail-on", "disparity"]
    assert main(gate) == 1
    assert main(["audit", str(tmp_path / "none.csv"), *gate[2:]]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2


def test_options_are_written_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`--to plan.json` was taken for a tolerance, and "'plan.json' is not a number" was the answer."""
    with pytest.raises(SystemExit) as refused:
        main(["plan-audit", "--attributes", "sex", "--to", str(tmp_path / "plan.json")])
    assert refused.value.code == 2 and "unrecognized arguments: --to" in capsys.readouterr().err
