"""A report's JSON opens again, here and in a colleague's workspace, and two audits say what has changed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.api.saved_audits import adopt, saved
from core.audit import AuditOptions, Predictions, audit
from core.cli import main
from core.errors import UserError
from core.report import contents
from core.report.bundle import json_text
from core.report.of_audit import audit_report
from core.report.over_time import changes, over_time_section
from core.workspace import Workspace


def made(seed: int, gain: float, n: int = 900) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    y, sex = (rng.random(n) < 0.4).astype(int), rng.choice(["F", "M"], n)
    score = np.clip(0.3 + gain * y * (sex == "F") + 0.3 * y * (sex == "M") + rng.normal(0, 0.2, n), 0, 1)
    return dict(json.loads(json.dumps(audit(Predictions.build(y, {"m": score}, {"sex": sex}), AuditOptions(bootstrap=0)).to_dict())))


@pytest.fixture(scope="module")
def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    return made(1, 0.3), made(2, 0.0)


def test_changes_are_differences_of_the_two_audits_with_joined_intervals(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    then, now = pair
    table = changes(then, now).set_index(["attribute", "group", "metric"])
    row = table.loc["sex", "F", "auc"]
    a, b = (d["attributes"]["sex"]["groups"]["F"] for d in (now, then))
    assert row["change"] == pytest.approx(a["auc"] - b["auc"])
    below, above = a["auc"] - a["auc_ci"][0], b["auc_ci"][1] - b["auc"]
    assert row["low"] == pytest.approx(row["change"] - (below**2 + above**2) ** 0.5)
    assert row["high"] < 0, "the model has lost all of its power for F"
    assert table.loc["sex", "M", "auc"]["high"] > 0
    gap = table.loc["sex", "(all)", "max_gap"]
    assert gap["now"] == now["attributes"]["sex"]["max_gap"] and gap["before"] == then["attributes"]["sex"]["max_gap"]


def test_the_report_names_what_changed(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    then, now = pair
    report = audit_report(now, earlier=then)
    section = next(s for s in report.sections if s.title == contents.CHANGED)
    assert "AUC of sex = F" in section.sentence
    assert tuple(s.title for s in report.sections) == contents.audit_contents(now, earlier=True)
    assert "None of" in over_time_section(now, now).sentence


def test_audits_without_a_common_model_or_group_are_refused(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    then, now = pair
    other = copy.deepcopy(then)
    other["models"] = {"x": other["models"]["m"]}
    with pytest.raises(UserError, match="no model in common: x then, m now"):
        changes(other, now)


def test_other_choices_are_said(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    then, now = copy.deepcopy(pair[0]), pair[1]
    then["options"]["threshold"] = 0.4
    assert "different choices of threshold" in " ".join(over_time_section(then, now).notes)


def test_a_report_s_json_is_an_audit_again(pair: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then, now = pair
    (tmp_path / "now.json").write_text(json_text(audit_report(now)))
    (tmp_path / "then.json").write_text(json.dumps(then))
    command = ["report", "--audit", str(tmp_path / "now.json"), "--earlier", str(tmp_path / "then.json"), "--format", "json", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    capsys.readouterr()
    found = json.loads((tmp_path / "out" / "now.json").read_text())
    assert found["data"]["audit"]["overall"]["auc"] == now["overall"]["auc"]
    assert contents.CHANGED in [s["title"] for s in found["sections"]]
    assert found["tables"]["over_time"]


def test_a_colleague_s_audit_is_kept_and_opened(pair: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    first = adopt(workspace, json_text(audit_report(pair[0])).encode(), "theirs.json")
    again = adopt(workspace, json.dumps(pair[0]).encode(), "again.json")
    assert first.audit_id == again.audit_id and len(saved(workspace)) == 1
    assert first.document == pair[0] and first.about["mapping"]["attributes"] == ["sex"]


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"a": 1}', b"\xff\xfe", b'{"data": {}, "sections": []}', b'{"overall": {}, "attributes": {"a": 3}}'])
def test_what_is_no_audit_is_refused_in_words(text: bytes, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    with pytest.raises(UserError, match=r"x\.json|not an audit"):
        adopt(workspace, text, "x.json")
    assert saved(workspace) == []
