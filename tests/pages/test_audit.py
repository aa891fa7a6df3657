"""The Audit page: columns are guessed, the numbers on the screen are core's, bad files are one message."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.api.saved_audits import find, saved
from core.audit import AuditOptions, Mapping, audit, read_predictions
from core.charts.text import count, decimal, interval
from core.workspace import Workspace
from dashboard import audit_job
from tests.pages.analysis import calm, drawn, open_page, open_tab, words

PATIENT_RUNS = 2000


def predictions(n: int = 900, gap: float = 2.5) -> pd.DataFrame:
    """A score that is much worse for one race, equally good for both sexes."""
    rng = np.random.default_rng(4)
    race = rng.choice(["black", "white"], n, p=[0.35, 0.65])
    y = (rng.random(n) < 0.3).astype(int)
    logit = (2 * y - 1) * 1.6 + rng.normal(0, np.where(race == "black", gap, 1.0), n)
    score = 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"id": range(n), "outcome": y, "score": score.round(5), "race": race, "sex": rng.choice(["f", "m"], n), "note": "x"})


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader[0].set_value((name, content, "text/csv"))
    return calm(app.run())


def quick(app: AppTest) -> AppTest:
    """Fewer replicates, single attributes: the page is tested here, not the statistics."""
    app.select_slider(key="audit-draws").set_value(200)
    app.number_input(key="audit-depth").set_value(1)
    return calm(app.run())


def start(app: AppTest) -> AppTest:
    """Audit, and wait for the process that does it."""
    next(b for b in app.button if b.label == "Audit").click()
    calm(app.run())
    for _ in range(PATIENT_RUNS):
        if not any(b.label == "Cancel" for b in app.button):
            return app
        calm(app.run())
    raise AssertionError("the audit does not end")


def test_an_upload_becomes_an_audit_that_says_what_core_says(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path) -> None:
    frame = predictions()
    file = tmp_path / "predictions.csv"
    frame.to_csv(file, index=False)
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "predictions.csv", file.read_bytes())
    assert [m.value for m in app.multiselect] == [["score"], ["race", "sex"]]
    usual = AuditOptions()
    assert (app.select_slider(key="audit-draws").value, app.number_input(key="audit-depth").value) == (usual.bootstrap, usual.intersections)
    assert (app.number_input(key="audit-tolerance").value, app.selectbox(key="audit-missing").value) == (usual.tolerance, usual.missing)
    quick(app)
    start(app)

    options = AuditOptions(threshold=0.5, bootstrap=200, curves=True)
    expected = audit(read_predictions(file, Mapping("outcome", ("score",), ("race", "sex"), id="id")), options).to_dict()
    said = words(app)
    verdict = expected["attributes"]["race"]["verdicts"]["auc"]
    assert verdict["verdict"] == "disparity"
    assert verdict["reason"] in said
    black = expected["attributes"]["race"]["groups"]["black"]
    text = interval(black["auc"], *black["auc_ci"])
    assert any(row.get("shown") == text for chart in drawn(app) for row in chart)
    table = app.dataframe[0].value.set_index("metric")
    column = next(name for name in table if name.startswith("black ("))
    assert table.loc["AUC", column] == text
    assert table.loc["TPR", column] == interval(black["tpr"], *black["tpr_ci"])

    [kept] = saved(workspace)
    assert kept.document["attributes"]["race"]["groups"]["black"]["auc"] == black["auc"]
    again = open_page(monkeypatch, workspace.root, "audit")
    assert "predictions.csv" in words(again)
    again.query_params["audit"] = kept.audit_id
    calm(again.run())
    assert verdict["reason"] in words(again)


def test_two_models_are_compared_and_a_threshold_slides(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    frame = predictions(700)
    frame["other"] = (0.5 * frame["score"] + 0.5 * np.random.default_rng(1).random(700)).round(5)
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "two.csv", frame.to_csv(index=False).encode())
    app.multiselect[0].set_value(["score", "other"])
    quick(app)
    start(app)
    [kept] = saved(workspace)
    [pair] = kept.document["comparisons"]
    first = pair["differences"][0]
    assert (first["metric"], first["attribute"]) == ("auc", "(all)")
    said = words(app)
    assert f"has a lower AUC than {pair['model_b']} ({interval(first['difference'], *first['ci'], signed=True)}, corrected" in said.replace("\\", "")
    assert "worth a look" in said
    shown = [table.value for table in app.dataframe]
    compared = next(table for table in shown if "difference" in table and "where" in table)
    assert {"DPD", "DEOdds", "DP ratio", "ES-AUC", "AUPRG", "net benefit", "debiased ECE"} <= set(compared["metric"])
    open_tab(app, "Threshold")
    curve = pd.DataFrame(kept.document["models"]["score"]["attributes"]["race"]["curves"]["sliding"])
    cut = sorted(curve["threshold"].unique())[30]
    app.slider(key="audit-slide-score-race-slider").set_value(cut)
    calm(app.run())
    rates = next(table.value for table in app.dataframe if {"rows selected", "selected", "TPR", "group"} <= set(table.value.columns)).set_index("group")
    here = curve[curve["threshold"] == cut].set_index("group")
    of = frame[frame["race"] == "black"]
    assert rates.loc["black", "rows selected"] == count(here.loc["black", "selected"]) == count(int((of["score"] >= cut).sum()))
    assert rates.loc["white", "TPR"] == decimal(here.loc["white", "tpr"])


def test_the_metric_picker_changes_the_forest(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    quick(upload(app, "p.csv", predictions(400).to_csv(index=False).encode()))
    start(app)
    app.selectbox(key="audit-attribute").select("sex")
    app.selectbox(key="audit-metric").select("fpr")
    calm(app.run())
    [kept] = saved(workspace)
    group = kept.document["attributes"]["sex"]["groups"]["f"]
    assert any(row.get("shown") == interval(group["fpr"], *group["fpr_ci"]) for chart in drawn(app) for row in chart)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", b"", "empty"),
        ("p.pdf", b"%PDF", "not a table"),
        ("p.csv", b"outcome,score,sex\n1,high,f\n0,.2,m\n1,.3,f\n", "score"),
    ],
)
def test_bad_files_are_one_message(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, name: str, content: bytes, message: str) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, name, content)
    if any(b.label == "Audit" for b in app.button):
        start(app)
    assert len(app.error) == 1
    assert message in app.error[0].value.replace("\\", "")


def test_an_unknown_link_says_so(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    app.query_params["audit"] = "../../etc"
    calm(app.run())
    assert "This audit is not here" in app.error[0].value


def chosen(app: AppTest) -> dict[str, object]:
    return {s.label.replace("\\", ""): s.value for s in app.selectbox}


def test_words_are_known_or_asked_for_and_never_taken_by_the_alphabet(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    frame = predictions(300)
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "case.csv", frame.assign(outcome=np.where(frame["outcome"] == 1, "case", "control")).to_csv(index=False).encode())
    assert chosen(app)["Value that means positive"] == "case"
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "grade.csv", frame.assign(outcome=np.where(frame["outcome"] == 1, "severe", "mild")).to_csv(index=False).encode())
    assert chosen(app)["Value that means positive"] is None
    assert "choose the value that means positive" in app.error[0].value
    assert not any(b.label == "Audit" for b in app.button)
    next(s for s in app.selectbox if s.label == "Value that means positive").set_value("severe")
    calm(app.run())
    assert any(b.label == "Audit" for b in app.button)


def test_uncertain_labels_are_left_out_on_the_page_too(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    frame = predictions(400)
    frame.loc[:39, "outcome"] = -1
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "three.csv", frame.to_csv(index=False).encode())
    assert chosen(app)["Value that means positive"] == "1"
    assert chosen(app)["-1 (uncertain) means"] == "exclude"
    quick(app)
    start(app)
    [kept] = saved(workspace)
    assert kept.document["overall"]["n"] == 360
    assert "label_uncertain" in {f["code"] for f in kept.document["findings"]}


@pytest.mark.parametrize("separator", ["|", ", ", ";"])
def test_every_table_that_the_command_reads_is_read_on_the_page(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, separator: str) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    text = predictions(300).to_csv(index=False).replace(",", separator)
    upload(app, "p.csv", text.encode())
    assert [m.value for m in app.multiselect] == [["score"], ["race", "sex"]]
    quick(app)
    start(app)
    assert len(saved(workspace)) == 1


def document_of(app: AppTest, workspace: Workspace) -> dict[str, object]:
    audit = app.query_params["audit"]
    made = find(workspace, audit[0] if isinstance(audit, list) else audit)
    assert made is not None
    return made.document


def test_a_small_file_is_answered_in_the_same_run(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    monkeypatch.setattr(audit_job, "start", lambda *_: pytest.fail("a process was started for a file of 400 rows"))
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", predictions(400).to_csv(index=False).encode())
    next(b for b in app.button if b.label == "Audit").click()
    calm(app.run())
    assert document_of(app, workspace)["overall"]["n"] == 400


def test_a_small_file_that_does_not_fit_says_so_in_the_same_run(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", predictions(400).assign(note=lambda t: "n" + t.index.astype(str)).to_csv(index=False).encode())
    app.multiselect[1].set_value(["note"])
    calm(app.run())
    next(b for b in app.button if b.label == "Audit").click()
    app.run()
    assert not app.exception and any("400 different values" in e.value for e in app.error)
    assert any(b.label == "Audit" for b in app.button)


def test_numbers_are_cut_where_the_page_is_told_to(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    frame = predictions(420).assign(age=lambda t: 20 + t.index % 60)
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", frame.to_csv(index=False).encode())
    app.multiselect[1].set_value(["sex", "age"])
    calm(app.run())
    edges = next(t for t in app.text_input if t.label.startswith("Edges"))
    assert edges.value == "35, 50, 64"
    edges.set_value("30, 30")
    app.run()
    assert any("increasing" in e.value for e in app.error) and not any(b.label == "Audit" for b in app.button)
    next(t for t in app.text_input if t.label.startswith("Edges")).set_value("30, 70")
    calm(app.run())
    start(app)
    counts = {name: group["n"] for name, group in document_of(app, workspace)["attributes"]["age"]["groups"].items()}
    assert counts == {"<30": int((frame["age"] < 30).sum()), "30 to <70": int(frame["age"].between(30, 69).sum()), "70+": int((frame["age"] >= 70).sum())}


@pytest.mark.parametrize(("tick", "groups"), [(False, {"f", "Female", "m"}), (True, {"f", "m"})])
def test_values_that_look_alike_are_one_group_when_ticked(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tick: bool, groups: set[str]) -> None:
    frame = predictions(400)
    frame.loc[frame.index[frame["sex"] == "f"][::3], "sex"] = "Female"
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", frame.to_csv(index=False).encode())
    if tick:
        next(c for c in app.checkbox if "look like one group" in c.label).check()
        calm(app.run())
    start(app)
    assert set(document_of(app, workspace)["attributes"]["sex"]["groups"]) == groups


def test_classes_are_told_apart_and_each_is_audited_against_the_others(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    rng = np.random.default_rng(0)
    grade = rng.choice(["none", "mild", "severe"], 600)
    columns = {f"prob_{c}": (0.6 * (grade == c) + rng.random(600)).round(4) for c in ("severe", "none", "mild")}
    frame = pd.DataFrame({"diagnosis": grade, "sex": rng.choice(["f", "m"], 600), **columns})
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "grades.csv", frame.to_csv(index=False).encode())
    assert chosen(app)["True label"] == "diagnosis" and chosen(app)["Value that means positive"] is None
    assert "choose the value that means positive" in app.error[0].value
    next(c for c in app.checkbox if c.label.startswith("Tell the 3 values apart")).check()
    calm(app.run())
    assert {k: v for k, v in chosen(app).items() if k.startswith("Score of")} == {f"Score of {c}": f"prob_{c}" for c in ("mild", "none", "severe")}
    quick(app)
    start(app)
    made = {a.about["name"]: a for a in saved(workspace)}
    assert set(made) == {f"grades.csv: {c} against all other classes" for c in ("mild", "none", "severe")}
    for name, audit_made in made.items():
        of = name.removeprefix("grades.csv: ").split()[0]
        assert audit_made.document["source"] == name and audit_made.document["overall"]["n_pos"] == int((grade == of).sum())
        assert audit_made.document["model"] == f"prob_{of}"
    assert "mild against all other classes" in words(app) and "false findings add up" in words(app)
    app.segmented_control[0].set_value("severe")
    calm(app.run())
    assert document_of(app, workspace)["model"] == "prob_severe"


def test_attributes_of_another_file_are_joined_by_the_id_of_both(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path) -> None:
    frame = predictions(400).assign(patient_id=lambda t: "P" + t["id"].astype(str))
    own, facts = frame[["patient_id", "outcome", "score"]], frame[["patient_id", "race", "sex"]].sample(frac=1, random_state=0)
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", own.to_csv(index=False).encode())
    next(u for u in app.file_uploader if u.label.startswith("Table with facts")).set_value(("people.csv", facts.to_csv(index=False).encode(), "text/csv"))
    calm(app.run())
    assert chosen(app)["Id that both files have"] == "patient_id"
    assert [m.value for m in app.multiselect] == [["score"], ["race", "sex"]]
    quick(app)
    start(app)
    document = document_of(app, workspace)
    assert {g: v["n"] for g, v in document["attributes"]["race"]["groups"].items()} == frame["race"].value_counts().to_dict()
    file = tmp_path / "whole.csv"
    frame[["patient_id", "outcome", "score", "race", "sex"]].to_csv(file, index=False)
    whole = audit(read_predictions(file, Mapping("outcome", ("score",), ("race", "sex"), patient="patient_id")), AuditOptions(threshold=0.5, bootstrap=200))
    assert document["attributes"]["race"]["groups"]["black"]["auc"] == whole.to_dict()["attributes"]["race"]["groups"]["black"]["auc"]
    assert [f["name"] for f in document["provenance"]["files"]] == ["p.csv", "people.csv"]


def test_a_column_of_ids_as_the_label_is_one_message(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = open_page(monkeypatch, workspace.root, "audit")
    upload(app, "p.csv", predictions(300).to_csv(index=False).encode())
    next(s for s in app.selectbox if s.label == "True label").set_value("id")
    app.run()
    assert not app.exception and any("cannot be the label" in e.value for e in app.error)
