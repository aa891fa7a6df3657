"""Model cards hold the audit's numbers, keep to their forms, and take no text for markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.audit import AuditOptions, Predictions, audit
from core.errors import UserError
from core.report.bundle import write
from core.report.chai_card import NAMESPACE, render_chai
from core.report.document import Report
from core.report.hf_card import markdown_text, render_card
from core.report.of_audit import audit_report

HOSTILE = "<script>alert(1)</script> | [x](http://198.51.100.1) ]]> & `a` \x00 --- \n# no"
# Element -> its children in the order of the schema's sequences, version 0.2; "?" may be absent.
ORDER: dict[str, tuple[str, ...]] = {
    "AppliedModelCard": ("BasicInfo", "ReleaseInfo", "ModelSummary", "UsesAndDirections", "Warnings", "TrustIngredients", "KeyMetrics", "Resources",
                         "Bibliography"),
    "BasicInfo": ("ModelName", "ModelDeveloper", "DeveloperContact"),
    "ReleaseInfo": ("ReleaseStage", "ReleaseDate", "ReleaseVersion", "GlobalAvailability"),
    "ModelSummary": ("Summary", "Keywords"),
    "UsesAndDirections": ("IntendedUseAndWorkflow", "PrimaryIntendedUsers", "HowToUse", "TargetedPatientPopulation", "CautionedOutOfScopeSettings"),
    "Warnings": ("KnownRisksAndLimitations", "KnownBiasesOrEthicalConsiderations", "ClinicalRiskLevel"),
    "TrustIngredients": ("AISystemFacts", "TransparencyInformation"),
    "AISystemFacts": ("OutcomesAndOutputs", "ModelType", "InputDataSource", "OutputAndInputDataTypes", "DevelopmentDataCharacterization",
                      "BiasMitigationApproaches", "OngoingMaintenance"),
    "TransparencyInformation": ("FundingSource", "StakeholdersConsulted"),
    "KeyMetrics": ("UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"),
    **dict.fromkeys(("UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"),
                    ("MetricGoal", "Results", "Interpretation", "TestType", "TestingDataDescription", "ValidationProcessAndJustification")),
    "MetricResult": ("Label", "ValueJson"),
    "Resources": ("PeerReviewedPublications", "PatientConsentOrDisclosure"),
}  # fmt: skip


@pytest.fixture(scope="module", params=["F", HOSTILE])
def report(request: pytest.FixtureRequest) -> Report:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 500)
    score = np.clip(0.4 * y + rng.random(500) * 0.6, 0, 1)
    given = Predictions.build(y, {f"m {request.param}": score}, {f"sex {request.param}": rng.choice([request.param, "M"], 500)}, source=request.param)
    document = json.loads(json.dumps(audit(given, AuditOptions(bootstrap=0)).to_dict()))
    return audit_report(document, answers={"funding": request.param, "users": "nurses"})


def document(report: Report) -> dict[str, Any]:
    return dict(report.data["audit"])


def check(element: ET.Element) -> None:
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    children = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if name == "Results":
        assert children and set(children) == {"MetricResult"}
    elif name == "Keywords":
        assert set(children) <= {"Keyword"}
    else:
        assert tuple(children) == ORDER.get(name, ()), name
    assert not element.attrib and not (children and (element.text or "").strip()), "the schema knows no attributes and no text beside elements"
    for child in element:
        check(child)


def test_the_xml_keeps_to_the_order_of_the_schema(report: Report) -> None:
    root = ET.fromstring(render_chai(report))  # noqa: S314 - our own text
    assert root.tag == f"{{{NAMESPACE}}}AppliedModelCard"
    check(root)


def test_the_xml_holds_the_audit_s_numbers(report: Report) -> None:
    root = ET.fromstring(render_chai(report))  # noqa: S314 - our own text
    found = document(report)
    values = [json.loads(element.text or "") for element in root.iter(f"{{{NAMESPACE}}}ValueJson")]
    told = {one["value"] for one in values}
    [attribute] = found["attributes"].values()
    assert {found["overall"]["auc"], attribute["es_auc"], *(group["auc"] for group in attribute["groups"].values())} <= told
    first = next(one for one in values if one["value"] == found["overall"]["auc"])
    assert [first["low"], first["high"]] == found["overall"]["auc_ci"]


def test_the_card_s_head_is_yaml_with_the_audit_s_numbers(report: Report) -> None:
    card = render_card(report)
    head = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))
    found = document(report)
    metrics = head["model-index"][0]["results"][0]["metrics"]
    assert metrics[0] == {"type": "auc", "name": "AUC, everybody", "value": found["overall"]["auc"]}
    [attribute] = found["attributes"].values()
    assert any(one["type"] == "es_auc" and one["value"] == attribute["es_auc"] for one in metrics)
    assert head["model_name"].startswith("m ")


def test_user_text_is_text(report: Report) -> None:
    card = render_card(report)
    body = card.split("\n---\n", 1)[1]
    assert "<script" not in body and "](http" not in body and "\x00" not in card
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}
    assert sum(line.startswith("# ") for line in body.splitlines()) == 1
    assert "<script" not in render_chai(report)


def test_what_nobody_said_is_said_to_be_so(report: Report) -> None:
    assert "nurses" in render_card(report)
    assert "*Not stated.*" in render_card(report)
    assert render_chai(report).count("Not stated") > 5


def test_a_report_of_runs_has_no_card_and_the_other_formats_are_written(tmp_path: Path) -> None:
    runs = Report("r", "t", "s", "2026-01-02 03:04", (), ())
    with pytest.raises(UserError, match=r"card is not written: a model card is of one model.*written: r\.html"):
        write(runs, tmp_path, ("html", "card"))
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_markdown_keeps_letters() -> None:
    assert markdown_text("a_b <i> & c\nd") == "a\\_b &lt;i&gt; &amp; c d"
