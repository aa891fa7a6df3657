"""`multifair audit`: the document of the contract, exit codes, clear refusals, a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.cli import main
from core.metrics.delong import delong
from core.metrics.delong import difference as delong_difference
from tests.audit import oracles
from tests.audit.cohorts import simulated

FAST = ["--bootstrap", "0"]
LENIENT = ["--min-positives", "2", "--min-negatives", "2", "--min-rows", "2"]
GROUP_FIELDS = {
    "n",
    "n_pos",
    "n_neg",
    "estimable",
    "reason",
    "auc",
    "auc_se",
    "auc_ci",
    "tpr",
    "fpr",
    "ppv",
    "npv",
    "selection_rate",
    "accuracy",
    "brier",
    "ece",
}


def save(path: Path, **columns: Any) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["audit", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def gap(tmp_path: Path) -> str:
    predictions = simulated({"a": 800, "b": 800}, {"a": 0.9, "b": 0.65})
    return save(tmp_path / "gap.csv", y=predictions.y, s=predictions.scores["model"], g=predictions.attributes["group"].values())


def test_the_document_of_the_contract(gap: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(capsys, gap, "--label", "y", "--score", "s", "--attributes", "g", "--bootstrap", "200")
    assert {"overall", "attributes", "models"} <= document.keys()
    assert {"n", "n_pos", "auc", "auc_ci"} <= document["overall"].keys()
    attribute = document["attributes"]["g"]
    assert {"es_auc", "max_gap", "worst_group", "dpd", "deodds", "verdicts", "groups", "tests"} <= attribute.keys()
    assert {"auc", "tpr", "fpr", "selection_rate", "ece"} <= attribute["verdicts"].keys()
    assert all({"verdict", "reason"} <= v.keys() for v in attribute["verdicts"].values())
    assert attribute["groups"].keys() == {"a", "b"}
    assert all(group.keys() >= GROUP_FIELDS for group in attribute["groups"].values())
    assert all({"metric", "group_a", "group_b", "difference", "ci", "p", "p_adjusted"} <= test.keys() for test in attribute["tests"])
    assert attribute["worst_group"] == "b" and attribute["verdicts"]["auc"]["verdict"] == "disparity"


def test_oracles_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = save(tmp_path / "delong.csv", y=oracles.Y8, s=oracles.SCORE8, t=oracles.DELONG_PAIRED["score_b"], g=["all"] * 8)
    document = run(capsys, one, "--label", "y", "--score", "s", "--attributes", "g", *FAST)
    assert document["overall"]["auc_ci"] == pytest.approx(oracles.DELONG["ci"], abs=1e-6)
    assert document["attributes"]["g"]["groups"]["all"]["auc_se"] == pytest.approx(oracles.DELONG["se"], abs=1e-7)
    pair = run(capsys, one, "--label", "y", "--score", "s,t", "--attributes", "g", *LENIENT, *FAST)
    first = pair["comparisons"][0]["differences"][0]
    assert first["difference"] == -oracles.DELONG_PAIRED["delta"]
    both = delong(oracles.Y8, np.stack([oracles.SCORE8, oracles.DELONG_PAIRED["score_b"]]))
    assert delong_difference(both).p == pytest.approx(oracles.DELONG_PAIRED["p"], abs=1e-6)
    assert oracles.DELONG_PAIRED["p"] < first["p"] < 1, "the audit's test of four positives is not the normal one, which claims too much"

    # Every row twice, which changes no rate: a group with one negative is in no summary.
    rates = save(
        tmp_path / "rates.csv",
        y=np.repeat(oracles.RATES_Y, 2),
        p=np.repeat(oracles.RATES_PREDICTION, 2),
        s=np.linspace(0, 1, 36),
        g=np.repeat(oracles.RATES_GROUP, 2),
    )
    found = run(capsys, rates, "--label", "y", "--score", "s", "--prediction", "p", "--attributes", "g", *LENIENT, *FAST)["attributes"]["g"]
    for metric, values in oracles.RATES.items():
        assert {g: row[metric] for g, row in found["groups"].items()} == pytest.approx(values, abs=1e-7)
    assert {name: found[name] for name in oracles.RATE_SUMMARIES} == pytest.approx(oracles.RATE_SUMMARIES, abs=1e-7)

    twice = {key: np.repeat(oracles.TRAP[name], 2) for key, name in (("y", "y"), ("s", "score"), ("g", "group"))}
    trap = save(tmp_path / "trap.csv", **twice)
    found = run(capsys, trap, "--label", "y", "--score", "s", "--attributes", "g", *LENIENT, *FAST)["attributes"]["g"]
    assert (found["max_gap"], found["es_auc"]) == (0.0, 0.5)

    ece = save(tmp_path / "ece.csv", y=oracles.ECE["y"], s=oracles.ECE["p"], g=["all"] * 6)
    assert run(capsys, ece, "--label", "y", "--score", "s", "--attributes", "g", *FAST)["overall"]["ece"] == pytest.approx(0.3)


def test_threshold_is_at_least(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "p.csv", y=[1, 1, 0, 0], s=[0.5, 0.4, 0.5, 0.1], g=list("abab"))
    assert run(capsys, path, "--label", "y", "--score", "s", "--attributes", "g", *FAST)["overall"]["selection_rate"] == 0.5
    assert run(capsys, path, "--label", "y", "--score", "s", "--attributes", "g", "--threshold", ".4", *FAST)["overall"]["tpr"] == 1.0


def test_fail_on_disparity(gap: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--label", "y", "--score", "s", "--attributes", "g", "--fail-on", "disparity", *FAST]
    assert main(["audit", gap, *arguments]) == 1
    even = simulated({"a": 300, "b": 300})
    path = save(tmp_path / "even.csv", y=even.y, s=even.scores["model"], g=even.attributes["group"].values())
    assert main(["audit", path, *arguments, "--tolerance", ".2"]) == 0


def test_text_for_a_reader(gap: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", gap, "--label", "y", "--score", "s", "--attributes", "g", "--bootstrap", "200"]) == 0
    text = capsys.readouterr().out
    assert "disparity: AUC is ." in text and "among groups alike" in text and "ES-AUC falls with the number of groups" in text
    assert "nan" not in text.lower() and "None" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "z", "--score", "s", "--attributes", "g"], "no column 'z'"),
        (["--label", "y", "--score", "s", "--attributes", "G"], "did you mean 'g'?"),
        (["--label", "y", "--score", "g", "--attributes", "g"], "row 2: column 'g' holds 'a', which is not a number"),
        (["--label", "y", "--score", "s", "--attributes", "g", "--tolerance", "x"], "'x' is not a number"),
        (["--label", "y", "--score", "s", "--attributes", "g", "--target", "speed=1"], "unknown target"),
        (["--label", "y", "--score", "s", "--attributes", "g", "--bootstrap", "3"], "3 bootstrap replicates give no interval"),
    ],
)
def test_bad_input_is_one_clear_line(gap: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["audit", gap, *arguments, "--json"]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1


def test_several_models_by_column_and_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = simulated({"a": 150, "b": 150})
    n = len(base)
    table = pd.DataFrame({"id": range(n), "y": base.y, "one": base.scores["model"], "two": base.scores["model"] ** 2, "g": base.attributes["group"].values()})
    table.to_csv(tmp_path / "wide.csv", index=False)
    table.melt(["id", "y", "g"], ["one", "two"], "m", "s").to_parquet(tmp_path / "long.parquet")
    shared = ["--label", "y", "--attributes", "g", "--id", "id", *FAST]
    wide = run(capsys, str(tmp_path / "wide.csv"), "--score", "one,two", *shared)
    long = run(capsys, str(tmp_path / "long.parquet"), "--score", "s", "--model", "m", *shared)
    assert wide["models"].keys() == long["models"].keys() == {"one", "two"}
    for name in ("one", "two"):
        one, other = wide["models"][name]["overall"], long["models"][name]["overall"]
        for metric in ("n", "n_pos", "auc", "tpr", "fpr", "brier", "ece"):
            # Rows come in another order, so sums may differ in their last digit.
            assert one[metric] == pytest.approx(other[metric], rel=1e-12)


def test_it_needs_neither_torch_nor_streamlit_nor_a_workspace(gap: str, tmp_path: Path) -> None:
    code = (
        "import sys; from core.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'streamlit', 'altair', 'sklearn', 'fairlearn', 'duckdb'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "audit", gap, "--label", "y", "--score", "s", "--attributes", "g", "--json", *FAST],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 1600


def test_a_stated_gap_is_planned_for(gap: str, capsys: pytest.CaptureFixture[str]) -> None:
    usual, stated = (
        run(capsys, gap, "--label", "y", "--score", "s", "--attributes", "g", *FAST, *more)["attributes"]["g"]["power"] for more in ([], ["--gap", ".06"])
    )
    gaps = {row["metric"]: row["gap"] for row in usual}
    assert all(gap == 0.1 for metric, gap in gaps.items() if metric != "selection_rate"), "twice the tolerance"
    assert 0 < gaps["selection_rate"] != 0.1, "its tolerance is a share of the rate"
    assert {row["gap"] for row in stated} == {0.06}
    needed = [{row["group"]: row["more_patients"] for row in rows if row["metric"] == "auc"} for rows in (usual, stated)]
    assert all(more > few for few, more in ((needed[0][g] or 0, needed[1][g] or 0) for g in "ab" if needed[1][g] is not None))


def test_models_are_compared_in_every_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = simulated({"a": 300, "b": 300}, {"a": 0.9, "b": 0.7})
    worse = 0.5 * cohort.scores["model"] + 0.5 * np.random.default_rng(2).random(600)
    file = save(tmp_path / "two.csv", y=cohort.y, s=cohort.scores["model"], t=worse, g=cohort.attributes["group"].values())
    arguments = [file, "--label", "y", "--score", "s,t", "--attributes", "g", "--bootstrap", "100"]
    [pair] = run(capsys, *arguments)["comparisons"]
    rows = {row["metric"]: row for row in pair["differences"] if (row["attribute"], row["group"]) == ("g", "(all)")}
    assert rows.keys() == {
        "es_auc",
        "max_gap",
        "worst_group_auc",
        "dpd",
        "dp_ratio",
        "deodds",
        "eodds_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
    }
    assert all(row["ci"] is not None and row["method"].startswith("paired, bounds") for row in rows.values())
    everybody = {row["metric"]: row for row in pair["differences"] if row["attribute"] == "(all)"}
    assert {"auc", "brier", "balanced_brier", "net_benefit", "average_precision", "auprg", "ece_debiased"} <= everybody.keys()
    assert main(["audit", *arguments]) == 0
    text = capsys.readouterr().out
    assert "paired on the same samples" in text and all(name in text for name in ("dp_ratio", "eodds_ratio", "auprg", "ece_debiased"))


def test_bands_primary_and_reference_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / "p.csv", y=rng.integers(0, 2, 400), s=rng.random(400), age=rng.integers(0, 95, 400), sex=rng.choice(["F", "M"], 400))
    columns = ["--label", "y", "--score", "s", "--attributes", "age,sex"]
    choices = ["--bins", "age=18,40,65", "--primary-attributes", "sex", "--primary-metrics", "auc,tpr", "--reference", "sex=M"]
    document = run(capsys, path, *columns, *choices, *FAST)
    assert list(document["attributes"]["age"]["groups"]) == ["<18", "18 to <40", "40 to <65", "65+"]
    assert document["attributes"]["age"]["bands"] == [18, 40, 65] and document["attributes"]["sex"]["bands"] is None
    kept = document["options"]
    assert (kept["bands"], kept["primary_attributes"], kept["primary_metrics"], kept["reference"]) == (
        {"age": [18, 40, 65]},
        ["sex"],
        ["auc", "tpr"],
        {"sex": "M"},
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (["--bins", "18,40"], "name the column"),
        (["--bins", "age=18,old"], "not a list of numbers"),
        (["--bins", "age=40,18"], "increasing"),
        (["--bins", "sex=18"], "only numbers can be banded"),
        (["--reference", "M"], "say of which attribute"),
        (["--primary-metrics", "speed"], "unknown primary metric 'speed'"),
        (["--primary-attributes", "race"], "primary attribute 'race'"),
        (["--on", "id"], "--metadata FILE"),
        (["--metadata", "m.csv"], "needs --on ID"),
    ],
)
def test_choices_that_do_not_fit_are_one_line(tmp_path: Path, choice: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / "p.csv", y=rng.integers(0, 2, 60), s=rng.random(60), age=rng.integers(0, 95, 60), sex=["F", "M"] * 30)
    assert main(["audit", path, "--label", "y", "--score", "s", "--attributes", "age,sex", *FAST, *choice]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]


def test_attributes_from_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    n = 300
    pid = np.repeat(np.arange(n // 2), 2)
    sex = np.where(rng.random(n // 2) < 0.5, "F", "M")
    scores = {"y": rng.integers(0, 2, n), "s": rng.random(n), "pid": pid}
    whole = save(tmp_path / "whole.csv", **scores, sex=sex[pid])
    parted = save(tmp_path / "parted.csv", **scores)
    order = rng.permutation(n // 2)
    metadata = save(tmp_path / "meta.csv", pid=order.astype(float), sex=sex[order], unused=order)
    columns = ["--label", "y", "--score", "s", "--attributes", "sex", "--patient", "pid", *FAST]
    joined = run(capsys, parted, *columns, "--metadata", metadata, "--on", "pid")
    assert joined["attributes"] == run(capsys, whole, *columns)["attributes"]

    some = save(tmp_path / "some.csv", pid=order[:100], sex=sex[order[:100]])
    found = run(capsys, parted, *columns, "--metadata", some, "--on", "pid")
    assert found["attributes"]["sex"]["missing"] == 100
    assert next(f for f in found["findings"] if f["code"] == "no_metadata")["rows"] == 100


@pytest.mark.parametrize(
    ("pid", "sex", "message"),
    [
        ([1, 1, 2], ["F", "M", "F"], "the id '1' has several rows that differ in 'sex'"),
        ([7, 8, 9], ["F", "M", "F"], "none of the ids"),
        ([1, 2, 3], None, "there is no column 'sex'"),
    ],
)
def test_metadata_that_does_not_fit(tmp_path: Path, pid: list[int], sex: list[str] | None, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "p.csv", y=[0, 1] * 30, s=np.linspace(0, 1, 60), pid=[1, 2, 3] * 20)
    metadata = save(tmp_path / "m.csv", pid=pid, **({} if sex is None else {"sex": sex}))
    assert main(["audit", path, "--label", "y", "--score", "s", "--attributes", "sex", *FAST, "--metadata", metadata, "--on", "pid"]) == 2
    assert message in capsys.readouterr().err


def lesions(path: Path, n: int = 600) -> str:
    """Three classes with a score each, and a few rows whose class is not known."""
    rng = np.random.default_rng(0)
    truth = rng.choice(["nv", "mel", "bkl"], n)
    columns = {f"p_{c}": (0.6 * (truth == c) + rng.random(n)).round(4) for c in ("bkl", "mel", "nv")}
    truth[:5] = "unk"
    return save(path, dx=truth, sex=rng.choice(["f", "m"], n), guess=truth, **columns)


def test_every_class_is_audited_against_all_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = lesions(tmp_path / "dx.csv")
    table = pd.read_csv(file)
    usual = [file, "--label", "dx", "--attributes", "sex", *FAST]
    found = run(capsys, *usual, "--classes", "all", "--score", "p_nv,p_mel,p_bkl")
    assert list(found["classes"]) == ["bkl", "mel", "nv"] and "false findings add up" in found["note"]
    for name, document in found["classes"].items():
        assert document["model"] == f"p_{name}" and document["overall"]["n_pos"] == int((table["dx"] == name).sum()) and document["overall"]["n"] == 595
        alone = run(capsys, *usual, "--positive", name, "--score", f"p_{name}")
        assert alone["overall"] == document["overall"] and alone["attributes"] == document["attributes"]
    decided = run(capsys, *usual, "--classes", "nv,mel,bkl", "--score", "nv=p_nv,mel=p_mel,bkl=p_bkl", "--prediction", "guess")
    assert {d["overall"]["accuracy"] for d in decided["classes"].values()} == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "all", "--score", "p_nv,p_mel"], "3 classes (bkl, mel, nv) but 2 score columns"),
        (["--classes", "all", "--score", "p_nv,p_mel,guess"], "the class 'bkl' is not clear"),
        (["--classes", "nv,mel,unk", "--score", "nv=p_nv,mel=p_mel,unk=p_bkl"], "holds 'bkl', which is none of the classes"),
        (["--classes", "nv,mel,bcc", "--score", "p_nv,p_mel,p_bkl"], "never holds 'bcc'"),
        (["--classes", "all", "--positive", "nv", "--score", "p_nv"], "goes without --positive"),
        (["--classes", "all"], "name one --score column for each class"),
        (["--score", "p_nv"], "tell all values apart with --classes all"),
    ],
)
def test_classes_that_do_not_fit_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["audit", lesions(tmp_path / "dx.csv"), "--label", "dx", "--attributes", "sex", *FAST, *arguments]) == 2
    assert message in capsys.readouterr().err
