"""The JSON of every report keeps to the schema that ships with the program, and the schema notices what does not."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import numpy as np
import pytest

from core.audit import AuditOptions, Predictions, audit
from core.cli import main
from core.report.bundle import json_text
from core.report.of_audit import audit_report
from core.report.of_runs import runs_report
from core.report.schema import report_schema
from core.report.suppression import suppressed
from core.store import Store
from tests.factories import FakeWorkspace, fake_workspace

CHECK = jsonschema.Draft202012Validator(report_schema())


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkspace:
    return fake_workspace(tmp_path_factory.mktemp("runs"), runs=2, patients=300, epochs=2, unsettled=False)


@pytest.fixture(scope="module")
def runs(fake: FakeWorkspace) -> dict[str, Any]:
    with Store.open(fake.workspace) as store:
        return dict(json.loads(json_text(runs_report(store, fake.run_ids, "sex", answers={"users": "nurses"}))))


def of_audit(limit: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 500)
    given = Predictions.build(y, {"a": np.clip(0.4 * y + rng.random(500) * 0.6, 0, 1), "b": rng.random(500)}, {"sex": rng.choice(["F", "M"], 500)})
    document = json.loads(json.dumps(audit(given, AuditOptions(bootstrap=0, curves=True)).to_dict()))
    return dict(json.loads(json_text(audit_report(suppressed(document, limit) if limit else document))))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize("limit", [0, 11])
def test_reports_of_audits_keep_to_it(limit: int) -> None:
    CHECK.validate(of_audit(limit))


def test_reports_of_runs_keep_to_it(runs: dict[str, Any], fake: FakeWorkspace) -> None:
    CHECK.validate(runs)
    with Store.open(fake.workspace) as store:
        for attribute, limit in (("sex", 11), ("skin_type", 0), ("skin_type", 11)):
            CHECK.validate(json.loads(json_text(runs_report(store, fake.run_ids, attribute, suppress=limit))))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("form",), 2),
        (("created",), "yesterday"),
        (("sections", 0, "tag"), 3),
        (("tables", "group_auc_table", 0, "value"), ".842"),
        (("tables", "verdicts", 0, "verdict"), "passed"),
        (("tables", "table_one", 0, "n"), -1),
        (("tables", "findings"), [{"rows": [1]}]),
        (("data", "patients"), []),
        (("provenance", "runs"), {}),
    ],
)
def test_it_notices_what_is_not_so(runs: dict[str, Any], where: tuple[Any, ...], value: object) -> None:
    wrong = copy.deepcopy(runs)
    place: Any = wrong
    for step in where[:-1]:
        place = place[step]
    place[where[-1]] = value
    assert not CHECK.is_valid(wrong)


def test_an_audit_inside_a_report_is_checked_as_an_audit() -> None:
    wrong = of_audit()
    wrong["data"]["audit"]["overall"]["auc"] = ".842"
    assert not CHECK.is_valid(wrong)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "report"]) == 0
    assert json.loads(capsys.readouterr().out) == report_schema()
