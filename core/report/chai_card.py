"""A model card in the form of CHAI's Applied Model Card, version 0.2 of its schema, as XML.

Element names and their order are the schema's; what nobody has stated is said to be so, not left out.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

from core import __version__
from core.report.card_content import NOT_STATED, CardContent, Number, card_content
from core.report.document import Report
from core.report.hf_card import markdown_text
from core.report.readable import readable

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
VALIDATION = (
    "Estimates with intervals on patients whom the model was not trained on, overall and by group; differences between groups are tested and "
    "corrected for their number."
)


def render_chai(report: Report) -> str:
    """The card of the report's first model.

    Raises
    ------
    UserError
        See `card_content`.
    """
    card = card_content(report)
    root = ET.Element("AppliedModelCard", {"xmlns": NAMESPACE})
    for name, fields in _facts(card).items():
        _fill(ET.SubElement(root, name), fields)
    _fill(_at(root, "ModelSummary"), {"Summary": _summary(card)})
    keywords = ET.SubElement(_at(root, "ModelSummary"), "Keywords")
    _fill(keywords, {"Keyword": "fairness"})
    _fill(ET.SubElement(_at(root, "TrustIngredients"), "AISystemFacts"), _system(card))
    transparency = {"FundingSource": card.said("funding"), "StakeholdersConsulted": card.said("involvement")}
    _fill(ET.SubElement(_at(root, "TrustIngredients"), "TransparencyInformation"), transparency)
    overall = [n for n in card.overall if n.metric in ("auc", "tpr", "fpr", "ppv", "npv")]
    reliable = [n for n in card.overall if n.metric in ("brier", "oe_ratio")]
    for name, goal, numbers in (
        ("UsefulnessUsabilityEfficacy", "Telling those with the outcome from those without", overall),
        ("FairnessEquity", "The same performance in every group", [*card.summaries, *card.groups]),
        ("SafetyReliability", "Predicted risks that are observed", reliable),
    ):
        _metric(ET.SubElement(_at(root, "KeyMetrics"), name), goal, numbers, card)
    _fill(ET.SubElement(root, "Resources"), {"PeerReviewedPublications": NOT_STATED, "PatientConsentOrDisclosure": card.said("ethics")})
    ET.SubElement(root, "Bibliography").text = ""
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _at(root: ET.Element, name: str) -> ET.Element:
    return next(child for child in root if child.tag == name)


def _facts(card: CardContent) -> dict[str, Mapping[str, str]]:
    """The parts that come before the metrics, in their order; those that have parts of their own begin empty."""
    limits = " ".join(card.limits)
    return {
        "BasicInfo": {"ModelName": card.model, "ModelDeveloper": card.said("developer"), "DeveloperContact": card.said("contact")},
        "ReleaseInfo": {"ReleaseStage": NOT_STATED, "ReleaseDate": NOT_STATED, "ReleaseVersion": NOT_STATED, "GlobalAvailability": card.said("availability")},
        "ModelSummary": {},
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": _together(card, "intended_use", "care_path"),
            "PrimaryIntendedUsers": card.said("users"),
            "HowToUse": card.said("care_path"),
            "TargetedPatientPopulation": card.said("population"),
            "CautionedOutOfScopeSettings": card.said("limitations"),
        },
        "Warnings": {
            "KnownRisksAndLimitations": f"{limits} {card.answers.get('limitations', '')}".strip(),
            "KnownBiasesOrEthicalConsiderations": " ".join([*card.verdicts, card.answers.get("inequalities", "")]).strip() or NOT_STATED,
            "ClinicalRiskLevel": NOT_STATED,
        },
        "TrustIngredients": {},
        "KeyMetrics": {},
    }


def _together(card: CardContent, *keys: str) -> str:
    return " ".join(card.answers[key] for key in keys if key in card.answers) or NOT_STATED


def _summary(card: CardContent) -> str:
    return f"{card.model}, audited for fairness {card.date} on {card.source} by multifair {__version__}. {card.note}".strip()


def _system(card: CardContent) -> dict[str, str]:
    return {
        "OutcomesAndOutputs": card.said("label_assessment"),
        "ModelType": NOT_STATED,
        "InputDataSource": card.said("sites"),
        "OutputAndInputDataTypes": card.said("devices"),
        "DevelopmentDataCharacterization": _together(card, "sites", "attributes"),
        "BiasMitigationApproaches": NOT_STATED,
        "OngoingMaintenance": card.said("monitoring"),
    }


def _metric(element: ET.Element, goal: str, numbers: Iterable[Number], card: CardContent) -> None:
    _fill(element, {"MetricGoal": goal})
    results = ET.SubElement(element, "Results")
    for number in numbers:
        value = {"value": number.value, "low": number.low, "high": number.high, "rows": number.n}
        _fill(ET.SubElement(results, "MetricResult"), {"Label": number.label, "ValueJson": json.dumps(value)}, literal=("ValueJson",))
    if not len(results):
        _fill(ET.SubElement(results, "MetricResult"), {"Label": "none", "ValueJson": "null"})
    interpretation = " ".join(card.verdicts) if element.tag == "FairnessEquity" else ""
    said = {
        "Interpretation": interpretation or NOT_STATED,
        "TestType": "Audit of predictions",
        "TestingDataDescription": f"{card.source}. {card.said('population')}",
    }
    _fill(element, {**said, "ValidationProcessAndJustification": f"{VALIDATION} {card.answers.get('metric_reason', '')}".strip()})


def _fill(element: ET.Element, fields: Mapping[str, str], literal: tuple[str, ...] = ()) -> None:
    """Children with text; readers show it as Markdown, so it is escaped as such too."""
    for name, text in fields.items():
        ET.SubElement(element, name).text = readable(text) if name in literal else markdown_text(text)
