"""An audit says what it rests on, and its command makes it again."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audit import AuditOptions, Mapping, Predictions, Target, audit, read_predictions
from core.audit.input.origin import Origin, SourceFile
from core.audit.provenance import audit_command, provenance
from core.cli import build_parser
from core.cli.audit import mapping_of, options_of
from core.errors import UserError

PLAIN = AuditOptions(bootstrap=0)


def table(n: int = 240, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "y": rng.choice(["yes", "no"], n),
            "s": rng.random(n).round(4),
            "g": rng.choice(["a", "b"], n),
            "split": np.tile(["train", "val", "test"], n // 3),
        }
    )


def made(frame: pd.DataFrame, path: Path, mapping: Mapping, options: AuditOptions = PLAIN) -> dict:
    frame.to_csv(path, index=False)
    return audit(read_predictions(path, mapping), options).to_dict()["provenance"]


def test_file_columns_and_versions(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "p.csv"
    path.parent.mkdir()
    found = made(table(), path, Mapping("y", ("s",), ("g",), id="id"))
    assert found["files"] == [{"name": "p.csv", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}]
    assert (found["columns"]["label"], found["columns"]["score"], found["columns"]["id"], found["positive"]) == ("y", ["s"], "id", ["yes"])
    assert found["packages"]["numpy"] == np.__version__ and found["packages"]["scipy"] == version("scipy")
    assert (found["python"], found["platform"]) == (platform.python_version(), platform.platform())
    assert found["operating_points"] == {"s": {"threshold": 0.5, "chosen_on": "fixed", "target": None, "reason": None}}
    assert str(tmp_path) not in json.dumps(found), "folders are nobody's business"


def test_rows_left_out_add_up_with_their_reasons(tmp_path: Path) -> None:
    frame = table()
    frame.loc[:9, "y"] = None
    frame.loc[5:19, "s"] = None
    found = made(frame, tmp_path / "p.csv", Mapping("y", ("s",), ("g",), split="split"), AuditOptions(bootstrap=0, target=Target("sensitivity", 0.8)))
    assert [(part["reason"].split(" ")[0], part["rows"]) for part in found["left_out"]] == [("no", 10), ("no", 10), ("training", 73), ("validation", 73)]
    assert found["rows_read"] == 240 == found["rows_audited"] + sum(part["rows"] for part in found["left_out"])
    assert found["operating_points"]["s"]["chosen_on"] == "validation" and found["operating_points"]["s"]["target"] == "sensitivity 0.8"


def test_rows_of_models_below_each_other_add_up(tmp_path: Path) -> None:
    one, two = table(120).assign(m="one"), table(120).assign(m="two", s=0.5).iloc[:100]
    found = made(pd.concat([one, two]), tmp_path / "p.csv", Mapping("y", ("s",), ("g",), id="id", model="m"))
    assert found["models"] == ["one", "two"]
    assert [part["rows"] for part in found["left_out"]] == [20]
    assert found["rows_read"] == 220 == found["rows_audited"] + 20


def test_arrays_have_rows_and_no_command() -> None:
    found = audit(Predictions.build(np.tile([0, 1], 50), np.linspace(0, 1, 100), {"g": ["a", "b"] * 50}), PLAIN).to_dict()["provenance"]
    assert (found["files"], found["columns"], found["command"], found["rows_read"], found["rows_audited"]) == ([], None, None, 100, 100)


def test_the_date_is_that_of_source_date_epoch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    mapping = Mapping("y", ("s",), ("g",))
    assert made(table(), tmp_path / "p.csv", mapping)["date"] == "1970-01-02T00:00:00+00:00"
    first, second = (json.dumps(audit(read_predictions(tmp_path / "p.csv", mapping), PLAIN).to_dict()) for _ in range(2))
    assert first == second, "same input, same bytes"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match="seconds since 1970"):
        made(table(), tmp_path / "p.csv", mapping)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert datetime.fromisoformat(made(table(), tmp_path / "p.csv", mapping)["date"]).year > 2000


def test_the_metadata_file_is_on_record_and_in_the_command(tmp_path: Path) -> None:
    frame = table()
    frame.drop(columns="g").to_csv(tmp_path / "p.csv", index=False)
    frame[["id", "g"]].to_csv(tmp_path / "m.csv", index=False)
    result = audit(read_predictions(tmp_path / "p.csv", Mapping("y", ("s",), ("g",)), tmp_path / "m.csv", "id"), PLAIN)
    found = provenance(result)
    assert [file.name for file in found.origin.files] == ["p.csv", "m.csv"]
    assert found.command is not None and found.command.startswith("multifair audit p.csv ") and "--metadata=m.csv --on=id" in found.command


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12).map(str.strip).filter(bool)
WORDS = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    score = draw(WORDS)
    optional = st.none() | NAMES
    prediction = draw(st.lists(NAMES, min_size=len(score), max_size=len(score))) if draw(st.booleans()) else ()
    return Mapping(
        draw(NAMES),
        score,
        draw(WORDS),
        id=draw(optional),
        patient=draw(optional),
        prediction=tuple(prediction),
        weights=draw(optional),
        split=draw(optional),
        positive=draw(optional),
    )


@st.composite
def choices(draw: st.DrawFn, attributes: tuple[str, ...]) -> AuditOptions:
    share = st.floats(0.01, 0.4)
    edges = st.lists(st.floats(-1e6, 1e6, allow_nan=False) | st.integers(-99, 99).map(float), min_size=1, max_size=3, unique=True).map(sorted).map(tuple)
    target = draw(st.none() | st.just(Target("youden")) | st.floats(0.01, 0.99).map(lambda v: Target("sensitivity", v)))
    return AuditOptions(
        target=target, threshold=draw(st.none() | st.floats(-5, 5)) if target is None else None, per_group_threshold=target is not None and draw(st.booleans()),
        tolerance=draw(share), tolerances=draw(st.dictionaries(st.sampled_from(["auc", "tpr"]), share, max_size=2)), alpha=draw(share),
        power=draw(st.floats(0.5, 0.95)),
        bootstrap=draw(st.sampled_from([0, 100, 1000])), seed=draw(st.integers(0, 99)),
        min_positives=draw(st.integers(2, 9)), min_negatives=draw(st.integers(2, 9)), min_rows=draw(st.integers(0, 30)), intersections=draw(st.integers(1, 3)),
        missing=draw(st.sampled_from(["group", "exclude"])), bands=draw(st.dictionaries(st.sampled_from(attributes), edges, max_size=2)),
        calibration_bins=draw(st.integers(2, 20)), primary_attributes=draw(st.just(()) | st.just(attributes)),
        primary_metrics=draw(st.sampled_from([("auc",), ("tpr", "auc")])),
        reference=draw(st.dictionaries(st.sampled_from(attributes), NAMES, max_size=2)), gap=draw(st.none() | share), curves=draw(st.booleans()),
    )  # fmt: skip


@given(st.data(), mappings(), NAMES)
@settings(max_examples=200, deadline=None)
def test_the_command_asks_for_the_same_audit(data: st.DataObject, mapping: Mapping, file: str) -> None:
    """Whatever names and choices: the shell's words, parsed by the command line, are the mapping and the options."""
    options = data.draw(choices(mapping.attributes))
    command = audit_command(Origin(files=(SourceFile(file, "0" * 64, 1),), columns=mapping), options)
    assert command is not None
    words = shlex.split(command)
    args = build_parser().parse_args(words[1:])
    assert words[0] == "multifair" and args.file.removeprefix("./" if file.startswith("-") else "") == file
    assert mapping_of(args) == mapping
    assert options_of(args) == options
