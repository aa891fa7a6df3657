from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from core.cli import main
from core.cli.train import parse_seeds
from core.errors import UserError
from core.runs import find, folders
from core.runs.setting_types import parse_settings
from core.workspace import Workspace
from tests.factories import FakeWorkspace
from tests.runs.conftest import TINY, Tiny, eventually, tiny, tiny_template

__all__ = ["tiny", "tiny_template"]

SET = [word for key, value in {**TINY, "epochs": 1}.items() for word in ("--set", f"{key}={value}")]


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(("text", "seeds"), [("3", [1, 2, 3]), ("1", [1]), ("1,5,7", [1, 5, 7]), ("5,", [5]), ("2, 2,0", [2, 0])])
def test_seeds_are_a_number_of_them_or_a_list(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1,x", "1,-2", "101", "1.5", ",", "1,,2"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(text)


def test_settings_are_read_as_numbers_where_they_are() -> None:
    assert parse_settings(("--set", pair) for pair in ["lr=1e-3", "epochs = 5", "clip=null", "augment=flip", "encoder.note=hf:a=b"]) == {
        "lr": 1e-3, "epochs": 5, "clip": None, "augment": "flip", "encoder.note": "hf:a=b"
    }  # fmt: skip


@pytest.mark.parametrize("pairs", [["lr"], ["=3"], ["lr="], ["lr=1", "lr=2"], ["lr=NaN"], ["lr=Infinity"], ["lr=[NaN]"], ["lr=1e999"]])
def test_settings_that_say_nothing_are_refused(pairs: list[str]) -> None:
    with pytest.raises(UserError, match="line"):
        parse_settings(("line", pair) for pair in pairs)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cohort", "None", "--method", "erm"], "no cohort 'None'"),
        (["--cohort", "Tiny", "--method", "nothing"], "no method is named 'nothing'; known: "),
        (["--cohort", "Tiny", "--method", "erm", "--set", "tauu=1"], "no setting 'tauu'; known: "),
        (["--cohort", "Tiny", "--method", "erm", "--set", "epochs=0"], "epochs"),
        (["--cohort", "Tiny", "--method", "erm", "--set", "epochs=many"], "epochs"),
        (["--cohort", "Tiny", "--method", "erm", "--attribute", "age"], "no sensitive attribute 'age'"),
        (["--cohort", "Tiny", "--method", "erm", "--device", "abacus"], "device is auto, cpu"),
        (["--cohort", "Tiny", "--method", "erm", "--seeds", "x"], "--seeds x"),
    ],
)
def test_bad_input_is_one_line_and_2(tiny: Tiny, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    code, out, err = call(capsys, "train", "--workspace", str(tiny.workspace.root), *words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert list(folders(tiny.workspace)) == []


def test_train_prints_what_was_reached_and_then_answers_from_the_cache(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tiny.workspace.root)
    words = ["train", "--workspace", root, "--cohort", "Tiny", "--method", "erm", "--seeds", "2", *SET, "--json"]
    code, out, err = call(capsys, *words)
    answer: list[dict[str, Any]] = json.loads(out)
    assert code == 0, err
    assert [(entry["method"], entry["seed"], entry["status"], entry["cached"]) for entry in answer] == [("erm", 1, "done", False), ("erm", 2, "done", False)]
    groups = tiny.cohort.groups(tiny.cohort.roles.attributes[0])
    for entry in answer:
        assert entry["run_id"] == f"erm-s{entry['seed']}-{entry['key'][:10]}"
        assert {"auc", "es_auc", "worst_group_auc", "max_gap", "dpd", "deodds", "group_auc"} <= set(entry["test"])
        assert set(entry["test"]["group_auc"]) == set(groups)
        assert 0 <= entry["test"]["auc"] <= 1
    assert ": running" in err and ": done" in err
    code, out, err = call(capsys, *words)
    assert code == 0 and all(entry["cached"] for entry in json.loads(out)) and "2 known already, 0 to train" in err
    assert [entry["test"] for entry in json.loads(out)] == [entry["test"] for entry in answer]

    code, out, _ = call(capsys, "results", "--workspace", root, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["auc"]) for row in rows] == [entry["test"]["auc"] for entry in answer]
    code, out, _ = call(capsys, "results", "groups", "--workspace", root, "--json")
    assert {(row["run_id"], row["group"]): row["auc"] for row in json.loads(out)} == {
        (e["run_id"], g): v for e in answer for g, v in e["test"]["group_auc"].items()
    }


def test_detach_returns_at_once_and_cancel_and_retry_follow(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tiny.workspace.root)
    words = ["--workspace", root, "--json"]
    code, out, _ = call(capsys, "train", *words, "--cohort", "Tiny", "--method", "erm", *SET, "--set", "probe_every=7", "--detach")
    (entry,) = json.loads(out)
    assert code == 0 and entry["status"] in ("queued", "running") and entry["test"] is None
    run_id = entry["run_id"]
    eventually(lambda: tiny.status(run_id)["status"] == "done")
    code, _, err = call(capsys, "cancel", *words, run_id)
    assert code == 2 and "is done already" in err
    code, _, err = call(capsys, "retry", *words)
    assert code == 2 and "--failed" in err
    code, out, _ = call(capsys, "queue", *words, "--pause")
    assert code == 0 and json.loads(out) == []
    code, out, _ = call(capsys, "retry", *words, run_id)
    assert code == 0 and json.loads(out)[0]["status"] == "queued"
    code, out, _ = call(capsys, "retry", *words, "--failed")
    assert code == 0 and json.loads(out) == []


def test_a_failed_run_is_said_and_1(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "train", "--workspace", str(tiny.workspace.root), "--cohort", "Tiny", "--method", "erm", *SET, "--set", "lr=1e30", "--json")
    (entry,) = json.loads(out)
    assert entry["status"] == "failed" and "learning rate" in entry["reason"] and entry["test"] is None and code == 1


def test_runs_results_queue_and_store_print_tables(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workspace", str(fake.workspace.root), "--json"]
    code, out, _ = call(capsys, "runs", *words)
    runs = json.loads(out)
    assert code == 0 and {run["run_id"] for run in runs} == set(fake.run_ids)
    assert all(run["created"].endswith("Z") for run in runs) and runs[-1]["started"] is None
    code, out, _ = call(capsys, "runs", *words, "--status", "failed")
    assert [run["status"] for run in json.loads(out)] == ["failed"]
    code, out, _ = call(capsys, "results", *words)
    done = json.loads(out)
    assert len(done) == len(fake.run_ids) - 4 and all(0 < row["auc"] < 1 for row in done)
    code, out, _ = call(capsys, "results", "groups", *words, "--attribute", "skin_type", "--run", fake.run_ids[0])
    small = {row["group"]: row for row in json.loads(out)}["V-VI"]
    assert small["auc"] is None and "are needed" in small["reason"]
    code, out, _ = call(capsys, "results", "telemetry", *words, "--run", fake.run_ids[0], "--name", "unimodal.auc")
    assert {row["name"] for row in json.loads(out)} == {"unimodal.auc"}
    for table in ("epochs", "predictions"):
        code, out, _ = call(capsys, "results", table, *words, "--run", fake.run_ids[0])
        assert code == 0 and {row["run_id"] for row in json.loads(out)} == {fake.run_ids[0]}
    code, out, _ = call(capsys, "queue", *words)
    assert [item["status"] for item in json.loads(out)] == ["running", "queued"]
    code, out, _ = call(capsys, "store", "rebuild", *words)
    assert code == 0 and json.loads(out)["runs"] == len(fake.run_ids)
    code, _, err = call(capsys, "results", *words, "--attribute", "age")
    assert code == 2 and "no sensitive attribute 'age'; it has: sex, skin_type" in err


def test_the_queue_is_ordered_and_cancelled_from_the_command_line(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    from core.runs import submit

    one, two = (h.run_id for h in submit(tiny.workspace, tiny.plan("erm", seeds=(1, 2)), start=False))
    words = ["--workspace", str(tiny.workspace.root), "--json"]
    code, out, _ = call(capsys, "queue", *words, "--move", two, "1", "--parallel", "1")
    assert code == 0 and [item["run_id"] for item in json.loads(out)] == [two, one]
    for flag, value, message in (
        ("--parallel", "many", "not a whole number"),
        ("--memory", "much", "not a number of gigabytes"),
        ("--memory", "0", "from 0.1 to"),
    ):
        code, _, err = call(capsys, "queue", *words, flag, value)
        assert code == 2 and message in err
    code, out, _ = call(capsys, "queue", *words, "--memory", "4", "--priority", one, "high", "--pause")
    assert code == 0 and [item["run_id"] for item in json.loads(out)] == [one, two]
    code, _, err = call(capsys, "cancel", *words)
    assert code == 2 and "--all" in err
    code, out, _ = call(capsys, "cancel", *words, "--all")
    assert code == 0 and {entry["status"] for entry in json.loads(out)} == {"cancelled"}
    assert find(tiny.workspace, one).read_status()["reason"] == "cancelled by the user before it began"


def test_an_empty_workspace_says_what_to_do(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(Workspace.open(str(tmp_path)).root)
    for words, message in ((["runs"], "multifair train"), (["results"], "multifair runs"), (["queue"], "Nothing is queued")):
        code, out, _ = call(capsys, *words, "--workspace", root)
        assert code == 0 and message in out
