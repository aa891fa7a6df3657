"""Items of guidelines are computed, answered or open, and never filled without something behind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.cli import main
from core.errors import UserError
from core.report import guidelines
from core.report.answers import KEYS, LONGEST, QUESTIONS, checked, read_answers, save_answers, saved_answers
from core.report.audit_evidence import audit_evidence
from core.report.contents import CHECKLIST
from core.report.of_audit import audit_report


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    given = Predictions.build(y, {"m": np.clip(0.3 * y + rng.random(400) * 0.7, 0, 1)}, {"sex": rng.choice(["F", "M"], 400)})
    return dict(json.loads(json.dumps(audit(given, AuditOptions(bootstrap=0, curves=True)).to_dict())))


def test_every_item_has_a_way_to_be_met_and_every_question_an_item() -> None:
    assert all(one.evidence or one.question for one in guidelines.ITEMS)
    assert {one.question for one in guidelines.ITEMS if one.question} <= set(KEYS)
    assert len({q.key for q in QUESTIONS}) == len(QUESTIONS)
    wanted = {"3b", "3c", "6b", "8a", "10", "11", "13", "14", "15", "26"}
    assert wanted <= {one.item for one in guidelines.ITEMS if one.guideline == guidelines.TRIPOD}


def test_the_evidence_of_an_audit_is_used_by_items_and_named_sections_exist(document: dict[str, Any]) -> None:
    evidence = audit_evidence(document)
    assert set(evidence) <= {one.evidence for one in guidelines.ITEMS}
    titles = {section.title for section in audit_report(document).sections}
    for text in evidence.values():
        for named in text.split("“")[1:]:
            assert named.split("”")[0] in titles | {"Is there enough data?", "Who is served worse by …?"}, text


def test_an_item_is_open_until_it_is_answered(document: dict[str, Any]) -> None:
    def states(answers: dict[str, str]) -> dict[str, str]:
        table = guidelines.checklist_table(audit_evidence(document), answers)
        return dict(zip(table["guideline"] + " " + table["item"], table["state"], strict=True))

    assert states({})["TRIPOD+AI 18a"] == "open"
    assert states({"funding": "the city"})["TRIPOD+AI 18a"] == "answered"
    assert states({})["TRIPOD+AI 23a"] == "computed"
    answered = guidelines.checklist_table(audit_evidence(document), dict.fromkeys(KEYS, "said"))
    assert set(answered.loc[answered["state"] == "open", "where"]) <= {"not in this report"}, "no question that was answered leaves its item open"


def test_without_evidence_everything_is_open() -> None:
    assert set(guidelines.checklist_table({}, {})["state"]) == {"open"}


@pytest.mark.parametrize(
    ("value", "message"),
    [([], "one JSON object"), ({"x": "y"}, "'x' is not one of the questions"), ({"funding": 3}, "is int"), ({"funding": "a" * (LONGEST + 1)}, "letters")],
)
def test_answers_that_are_none_are_refused(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        checked(value, "f.json")
    (tmp_path / "f.json").write_text(json.dumps(value))
    with pytest.raises(UserError, match=message):
        read_answers(tmp_path / "f.json")


def test_answers_are_kept_and_read_again(tmp_path: Path) -> None:
    assert saved_answers(tmp_path) == {}
    save_answers(tmp_path, {"funding": " the city ", "users": "  "})
    assert saved_answers(tmp_path) == {"funding": "the city"}


def test_the_command_takes_answers(document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document))
    (tmp_path / "said.json").write_text(json.dumps({"funding": "the city of <b>Bern</b>"}))
    assert main(["report", "--audit", str(tmp_path / "a.json"), "--answers", str(tmp_path / "said.json"), "--out", str(tmp_path)]) == 0
    html = (tmp_path / "a.html").read_text()
    assert "the city of &lt;b&gt;Bern" in html and CHECKLIST in html
    assert "Counts below 11" in html, "files hide small counts unless told otherwise"
    assert main(["report", "--audit", str(tmp_path / "a.json"), "--suppress", "0", "--out", str(tmp_path)]) == 0
    assert "Counts below 11" not in (tmp_path / "a.html").read_text()
    (tmp_path / "said.json").write_text("{")
    assert main(["report", "--audit", str(tmp_path / "a.json"), "--answers", str(tmp_path / "said.json")]) == 2
    assert "not JSON" in capsys.readouterr().err
