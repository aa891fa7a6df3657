"""The document keeps to its schema, whatever is audited; old documents open; others are refused in words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audit import AuditOptions, Predictions, Target, audit
from core.audit.comparison.compare_models import with_comparisons
from core.audit.output.schema import VERSION, audit_schema, checked_document, read_document
from core.cli import main
from core.errors import UserError
from core.report.of_audit import audit_report
from tests.audit.cohorts import simulated

PLAIN = AuditOptions(bootstrap=0)


def check(document: dict[str, Any]) -> None:
    """Against the schema, after a round trip that JSON without NaN must survive."""
    jsonschema.Draft202012Validator(audit_schema()).validate(json.loads(json.dumps(document, allow_nan=False)))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return audit(simulated({"a": 120, "b": 100, "c": 6}), AuditOptions(bootstrap=100, curves=True)).to_dict()


def test_the_schema_is_one_and_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema.Draft202012Validator.check_schema(audit_schema())
    assert main(["schema", "audit"]) == 0
    assert json.loads(capsys.readouterr().out) == audit_schema()


def test_an_audit_with_everything_keeps_to_it(document: dict[str, Any]) -> None:
    check(document)
    assert document["version"] == VERSION == audit_schema()["properties"]["version"]["const"]


def test_several_models_and_seeds_keep_to_it() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    predictions = Predictions.build(
        y, {name: rng.random(200) for name in ("erm-s1", "erm-s2", "multifair-s1")}, {"g": rng.choice(["a", "b"], 200), "age": rng.integers(20, 90, 200)}
    )
    check(with_comparisons(audit(predictions, AuditOptions(bootstrap=100, intersections=2)), predictions).to_dict())


@st.composite
def cohorts(draw: st.DrawFn) -> Predictions:
    n = draw(st.integers(2, 80))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    kind = draw(st.sampled_from(["probability", "deciles", "ties", "label"]))
    y = rng.integers(0, 2, n) if draw(st.booleans()) else np.full(n, draw(st.integers(0, 1)))
    score = {"probability": rng.random(n), "deciles": rng.integers(0, 10, n).astype(float), "ties": np.full(n, 0.5), "label": y.astype(float)}[kind]
    groups = rng.choice(["a", "b", "ü <b>", None], n, p=[0.5, 0.3, 0.1, 0.1])
    patient = rng.integers(0, max(n // 3, 1), n) if draw(st.booleans()) else None
    weights = rng.random(n) + 0.1 if draw(st.booleans()) else None
    prediction = rng.integers(0, 2, n) if draw(st.booleans()) else None
    return Predictions.build(y, score, {"g": groups, "age": rng.integers(18, 99, n)}, patient=patient, weights=weights, prediction=prediction)


@given(cohorts(), st.booleans(), st.sampled_from([None, Target("sensitivity", 0.9), Target("youden")]), st.sampled_from([1, 2]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_audited_keeps_to_it(predictions: Predictions, missing: bool, target: Target | None, depth: int) -> None:
    options = AuditOptions(bootstrap=0, missing="group" if missing else "exclude", target=target, intersections=depth, curves=True)
    check(audit(predictions, options).to_dict())


def undescribed(value: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    """Fields of a document that the schema has no word for."""
    if "$ref" in schema:
        return undescribed(value, audit_schema()["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if "oneOf" in schema:
        return set() if value is None else undescribed(value, schema["oneOf"][-1], path)
    if isinstance(value, dict) and "properties" in schema:
        return {f"{path}.{k}" for k in value if k not in schema["properties"]}.union(
            *(undescribed(v, schema["properties"][k], f"{path}.{k}") for k, v in value.items() if k in schema["properties"])
        )
    if isinstance(value, dict) and "additionalProperties" in schema:
        return set().union(*(undescribed(v, schema["additionalProperties"], f"{path}.*") for v in value.values()))
    if isinstance(value, list) and "items" in schema:
        return set().union(*(undescribed(v, schema["items"], f"{path}[]") for v in value))
    return set()


def test_every_field_is_described(document: dict[str, Any]) -> None:
    assert undescribed({**document, "x": 1}, audit_schema()) >= {".x"}, "the walk sees what is not there"
    known_later = {f"{path}.{name}" for path in (".options", ".provenance.options") for name in ("per_group_threshold", "power", "gap", "curves")}
    columns = {f".provenance.columns.{name}" for name in ("id", "patient", "prediction", "model", "weights", "split", "positive")}
    assert undescribed(document, audit_schema()) <= known_later | columns


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 3),
        (("provenance",), None),
        (("provenance", "files"), [{"name": "/home/me/p.csv", "sha256": "0" * 64, "bytes": 1}]),
        (("overall", "auc"), 1.2),
        (("overall", "auc_ci"), [0.5]),
        (("overall", "n"), -1),
        (("attributes", "group", "verdicts", "auc", "verdict"), "fair"),
        (("attributes", "group", "tests", 0, "p"), "small"),
        (("options", "missing"), "drop"),
    ],
)
def test_the_schema_refuses_what_is_wrong(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(document)
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check(broken)


def test_every_required_field_is_missed(document: dict[str, Any]) -> None:
    for name in audit_schema()["required"]:
        with pytest.raises(jsonschema.ValidationError):
            check({k: v for k, v in document.items() if k != name})


def old(document: dict[str, Any]) -> dict[str, Any]:
    """As it was written before there was a version."""
    before = {k: v for k, v in copy.deepcopy(document).items() if k not in ("version", "provenance")}
    before["options"] = {
        **{k: v for k, v in before["options"].items() if k not in ("calibration_bins", "bands", "primary_attributes", "primary_metrics", "reference")},
        "bins": 10,
    }
    for part in (before, *before["models"].values()):
        for attribute in part["attributes"].values():
            attribute.pop("bands", None)
    return before


def test_documents_from_before_the_version_open(document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old(document)))
    assert read_document(path)["overall"] == document["overall"]
    assert main(["report", "--audit", str(path), "--format", "html,json", "--out", str(tmp_path / "out")]) == 0
    assert "did not record its input" in (tmp_path / "out" / "old.html").read_text()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "not an audit"),
        ({"overall": {}}, "not an audit"),
        ({"version": 3, "overall": {}, "attributes": {}}, "later version"),
        ({"version": "x", "overall": {}, "attributes": {}}, "which is none"),
    ],
)
def test_other_documents_are_refused_in_words(value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked_document(value, "x.json")


def test_the_report_says_how_to_make_it_again(document: dict[str, Any], tmp_path: Path) -> None:
    from core.audit import Mapping, read_predictions

    rows = [f"{i},{i % 2},{(i * 7 % 50) / 50},{'ab'[i % 3 == 0]}" for i in range(100)]
    path = tmp_path / "my p.csv"
    path.write_text("\n".join(["id,y,s,g", *rows, "100,,0.5,a"]))
    found = audit(read_predictions(path, Mapping("y", ("s",), ("g",), id="id")), PLAIN).to_dict()
    report = audit_report(found)
    section = next(s for s in report.sections if s.title == "How to make it again")
    assert section.sentence == f"In the folder of the file: {found['provenance']['command']}" and "'my p.csv'" in section.sentence
    facts = next(t for t in report.tables() if t.name == "provenance").frame.set_index("what")["value"]
    assert facts["SHA-256"] == found["provenance"]["files"][0]["sha256"]
    assert (facts["Rows read"], facts["Rows audited"], facts["Left out: no value in column 'y'"]) == ("101", "100", "1")
    assert (facts["True label"], facts["Counted as positive"]) == ("y", "1")
    assert report.provenance == found["provenance"]
    versions = next(t for t in report.tables() if t.name == "versions").frame.set_index("what")["value"]
    assert versions["numpy"] == np.__version__
