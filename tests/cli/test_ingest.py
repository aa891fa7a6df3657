"""`multifair ingest`, `cohorts`, `sample`, `simulate`, `doctor` and the two adapters, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.cohort import load
from core.cohort.layouts import NAMES
from core.workspace import Workspace
from tests.cohort.helpers import write_cohort

FINDING = {"code", "severity", "message", "rows", "remedy"}


@pytest.fixture
def call(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([words[0], "--workspace", str(workspace.root), *words[1:]]) == code
        captured = capsys.readouterr()
        if code:
            assert captured.out == "" and len(captured.err.strip().splitlines()) == 1
            return captured.err.strip()
        return json.loads(captured.out) if "--json" in words else captured.out

    return run


def test_ingest_prints_what_cli_md_promises(call, tmp_path: Path):
    answer = call("ingest", str(write_cohort(tmp_path / "clinic")), "--json")
    assert {"cohort_id", "name", "n", "n_patients", "modalities", "attributes", "findings"} <= set(answer)
    assert (answer["name"], answer["n"], answer["n_patients"]) == ("clinic", 40, 20)
    assert answer["modalities"] == ["photo", "clinical"] and answer["attributes"] == ["sex"]
    assert answer["findings"] and all(set(f) >= FINDING for f in answer["findings"])
    listed = call("cohorts", "--json")
    assert [(c["cohort_id"], c["n"]) for c in listed] == [(answer["cohort_id"], 40)]
    assert "clinic" in call("cohorts") and "few-patients" in call("ingest", str(tmp_path / "clinic"))


def test_every_role_can_be_named(call, tmp_path: Path, workspace: Workspace):
    path = write_cohort(tmp_path / "clinic")
    table = pd.read_csv(path, dtype=str)
    table["scan"] = [f"scans/{i}.npy" for i in range(40)]
    (path.parent / "scans").mkdir()
    for i in range(40):
        np.save(path.parent / "scans" / f"{i}.npy", np.random.default_rng(i).integers(0, 256, (5, 12, 12), dtype=np.uint8))
    table["remark"] = "seen today"
    table["part"] = ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    table["label"] = table["label"].map({"0": "healthy", "1": "ill"})
    table.to_csv(path, index=False)
    words = (
        "--id id --patient patient --label label --positive ill --split part --attribute sex --image eye=photo --volume oct=scan --text "
        "note=remark --tabular labs=age,pressure --name Named --size 16 --json"
    )
    answer = call("ingest", str(path), *words.split())
    assert answer["modalities"] == ["eye", "oct", "note", "labs"] and answer["name"] == "Named"
    cohort = load(workspace, "Named")
    assert cohort.table["split"].tolist() == ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    assert cohort.array("oct").shape == (40, 10, 16, 16)
    other = call("ingest", str(path), *words.replace("--split part", "--split=").replace("labs=age,pressure", "labs=age --drop pressure").split())
    assert other["cohort_id"] != answer["cohort_id"] and other["roles"]["split"] is None
    assert {"pressure", "part"} <= set(other["roles"]["dropped"])
    both = call("ingest", str(path), *words.replace("--attribute sex", "--attributes sex,part").replace("--split part", "--split=").split())
    assert both["roles"]["attributes"] == ["sex", "part"], "as `audit` takes them"


def test_a_manifest_gives_the_roles_and_flags_go_before_it(call, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    manifest = tmp_path / "roles.toml"
    manifest.write_text(
        'name = "Mine"\nid = "id"\npatient = "patient"\nlabel = "label"\npositive = "1"\nattributes = ["sex"]\n[[modality]]\nname = '
        '"labs"\nkind = "tabular"\ncolumns = ["age", "pressure"]\n'
    )
    assert call("ingest", str(path), "--manifest", str(manifest), "--json")["modalities"] == ["labs"]
    answer = call("ingest", str(path), "--manifest", str(manifest), "--image", "eye=photo", "--drop", "age", "--json")
    assert answer["modalities"] == ["labs", "eye"]
    assert answer["roles"]["modalities"][0]["columns"] == ["pressure"]
    as_json = tmp_path / "roles.json"
    as_json.write_text(json.dumps({"label": "label", "positive": 1, "modality": [{"name": "labs", "kind": "tabular", "columns": ["age"]}]}))
    assert call("ingest", str(path), "--manifest", str(as_json), "--json")["roles"]["positive"] == "1"
    (path.parent / "manifest.toml").write_bytes(manifest.read_bytes())
    assert call("ingest", str(path.parent), "--json")["modalities"] == ["labs"], "the manifest beside the table"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["none.csv"], "no such file"),
        (["{table}", "--images", "nowhere"], "nowhere: no such folder or zip"),
        (["{table}", "--label", "nope"], "column 'nope' is not in the table"),
        (["{table}", "--image", "photo"], "write NAME=COLUMN"),
        (["{table}", "--tabular", "labs="], "write NAME=COLUMN"),
        (["{table}", "--split", "sex"], "is not a split"),
        (["{table}", "--size", "5000"], "use 8 to 1024"),
        (["{table}", "--manifest", "none.toml"], "none.toml: cannot be read"),
        (["{table}", "--image", "eye=sex"], "no file can be used"),
    ],
)
def test_unusable_input_is_one_clear_line_and_exit_2(call, tmp_path: Path, words: list[str], reason: str):
    table = write_cohort(tmp_path / "clinic")
    assert reason in call("ingest", *(w.format(table=table) for w in words), code=2)


@pytest.mark.parametrize(
    "body",
    [
        "not = [toml",
        'label = "label"',
        'label = "label"\npositive = "1"\ncolour = 3',
        'label = "label"\npositive = "1"\nattributes = "sex"',
        'label = "label"\npositive = "1"\n[[modality]]\nname = "a"',
    ],
)
def test_a_broken_manifest_is_named(call, tmp_path: Path, body: str):
    manifest = tmp_path / "roles.toml"
    manifest.write_text(body)
    assert "roles.toml" in call("ingest", str(write_cohort(tmp_path / "clinic")), "--manifest", str(manifest), code=2)


def test_strict_refuses_what_is_otherwise_set_aside(call, tmp_path: Path):
    path = write_cohort(tmp_path / "clinic")
    (path.parent / "pictures" / "3.png").write_bytes(b"broken")
    assert "row 5 (s3)" in call("ingest", str(path), "--strict", code=2)
    answer = call("ingest", str(path), "--json")
    assert answer["n"] == 39 and [s["sample_id"] for s in answer["set_aside"]] == ["s3"]


def test_the_sample_is_saved_in_seconds_and_both_traps_are_found(call, workspace: Workspace):
    started = time.monotonic()
    answer = call("sample", "--json")
    assert time.monotonic() - started < 30
    assert (answer["n"], answer["n_patients"]) == (746, 583)
    assert answer["modalities"] == ["image", "clinical"] and answer["attributes"] == ["age_band", "sex", "fitzpatrick"]
    leaks = {c for f in answer["findings"] if f["code"] == "label-leakage" for c in f["columns"]}
    assert leaks == {"biopsed", "diagnosis", "clinical_record_missing"}
    (gap,) = [f for f in answer["findings"] if f["code"] == "informative-missingness"]
    assert gap["rows"] == 277 and {"sex", "fitzpatrick", "smoke", "diameter_1"} <= set(gap["columns"])
    assert "every one of them negative" in gap["message"]
    (tiny,) = [f for f in answer["findings"] if f["code"] == "tiny-group"]
    assert tiny["rows"] == 31 and tiny["columns"] == ["fitzpatrick"]
    cohort = load(workspace, answer["cohort_id"])
    assert not {"biopsed", "diagnosis"} & set(cohort.roles.feature_columns)
    assert {"smoke", "diameter_1"} <= set(cohort.donated_columns("clinical"))
    assert not cohort.array("clinical")["missing"].any()
    assert (cohort.group_index("sex") == -1).sum() == 277


def test_naming_a_leak_as_a_feature_is_an_error_in_the_findings(call):
    from core.cohort.sample import sample_folder

    answer = call("ingest", str(sample_folder() / "cohort.csv"), "--tabular", "clinical=age,biopsed", "--json")
    assert [f["columns"] for f in answer["findings"] if f["severity"] == "error"] == [["biopsed"]]


def test_simulate_writes_a_folder_that_ingest_takes(call, tmp_path: Path):
    out = str(tmp_path / "planted")
    answer = call("simulate", "--out", out, "--patients", "80", "--seed", "2", "--json")
    assert answer["truth"]["dominant"] == "fundus"
    assert call("ingest", f"{out}/cohort.csv", "--json")["modalities"] == ["fundus", "oct", "notes", "labs"]
    assert "not an empty folder" in call("simulate", "--out", out, code=2)
    assert "choose one of" in call("simulate", "--out", out + "2", "--scenario", "nope", code=2)


def test_doctor_names_versions_device_and_workspace(call, workspace: Workspace):
    report = call("doctor", "--json")
    assert report["packages"]["torch"] and report["hardware"]["cores"] >= 1 and report["hardware"]["memory_gib"] > 0
    assert report["workspace"] == report["workspace"] | {"path": str(workspace.root), "writable": True, "cohorts": 0, "runs": 0}
    assert "browser for tests" in call("doctor")


def test_adapters_refuse_an_empty_folder(call, tmp_path: Path):
    assert "no such folder" in call("ingest-fairvision", str(tmp_path), "--disease", "DR", code=2)
    assert "no .npz files" in call("ingest-fairvlmed", str(tmp_path), code=2)


def test_help_is_quick_and_loads_no_network_library():
    code = "import sys, core.cli; core.cli.build_parser(); sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_help_names_every_layout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ingest", "--help"])
    said = "".join(capsys.readouterr().out.split())
    assert all(name in said for name in NAMES)


def test_tables_are_joined_and_their_rows_stay_with_their_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFAIR_HOME", str(tmp_path / "home"))
    for eye in ("od", "os"):
        rows = "".join(f"#{i},{40 + i % 30},{i % 2},{i // 2 % 2}\n" for i in range(40))
        (tmp_path / f"{eye}.csv").write_text("ID,Age,Gender,Diagnosis\n" + rows)
    (tmp_path / "labs.csv").write_text("ID,crp\n" + "".join(f"#{i},{i * 0.5}\n" for i in range(40)))
    words = ["ingest", str(tmp_path / "od.csv"), "--join", f"{tmp_path / 'os.csv'}:ID", "--join", f"{tmp_path / 'labs.csv'}:ID", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["n_patients"]) == (80, 40)
    roles = {c["column"]: c["role"] for c in found["columns"]}
    assert roles["ID"] == "patient id" and roles["crp"].startswith("input of")
