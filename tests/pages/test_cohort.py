"""The Cohort page: uploads become a cohort, its numbers are the cohort's, bad input is one message."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.cohort.cohort import list_cohorts, load
from core.cohort.composition import group_counts
from core.cohort.ingest import ingest
from core.cohort.schema import Modality, Roles
from core.errors import UserError
from core.report.datasheet import split_counts
from core.workspace import Workspace
from dashboard.draft import Draft
from tests.pages.analysis import calm, drawn, open_page, words
from tests.pages.small import small_cohort


def uploader(app: AppTest, start: str):
    """The file uploader whose label starts so."""
    return next(u for u in app.file_uploader if u.label.startswith(start))


def test_uploads_become_a_cohort_with_its_datasheet(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    small = small_cohort()
    app = calm(open_page(monkeypatch, workspace.root, "cohort"))
    assert any("Try it on real patients" in m.value for m in app.markdown)
    uploader(app, "Table").set_value(("clinic.csv", small.csv, "text/csv"))
    calm(app.run())
    assert "2 · Roles" in words(app)
    uploader(app, "Images").set_value(small.images)
    calm(app.run())
    assert "48 image files" in words(app)
    next(b for b in app.button if b.label == "Save cohort").click()
    calm(app.run())
    [summary] = list_cohorts(workspace)
    cohort = load(workspace, summary.cohort_id)
    assert summary.n == 48
    assert set(cohort.roles.attributes) == {"sex"}
    assert cohort.present.all()
    assert f"48 samples of 48 patients, {int(cohort.y.sum())} with the outcome" in words(app)
    female = group_counts(cohort, "sex").set_index("group").loc["female"]
    [row] = [r for r in drawn(app)[0] if r["group"] == "female"]
    assert (row["n_pos"], row["n_neg"]) == (female["n_pos"], female["n_neg"])
    shown = app.dataframe[0].value
    assert shown["Samples"].tolist() == split_counts(cohort)["samples"].tolist()
    assert int(shown["Samples"].sum()) == 48


def test_nothing_is_lost_by_a_reload(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = open_page(monkeypatch, workspace.root, "cohort")
    uploader(app, "Table").set_value(("clinic.csv", small_cohort().csv, "text/csv"))
    calm(app.run())
    [token] = app.query_params["draft"] if isinstance(app.query_params["draft"], list) else [app.query_params["draft"]]
    again = open_page(monkeypatch, workspace.root, "cohort")
    again.query_params["draft"] = token
    calm(again.run())
    assert "clinic.csv" in words(again)
    assert "2 · Roles" in words(again)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("clinic.csv", b"\x00\x01\x02\xff\xfe", ""),
        ("clinic.exe", b"MZ", "not a table"),
        ("empty.csv", b"", ""),
    ],
)
def test_bad_tables_are_one_message_and_the_page_stays(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, name: str, content: bytes, message: str) -> None:
    app = open_page(monkeypatch, workspace.root, "cohort")
    uploader(app, "Table").set_value((name, content, "text/csv"))
    calm(app.run())
    assert len(app.error) == 1
    assert message in app.error[0].value
    uploader(app, "Table").set_value(("clinic.csv", small_cohort().csv, "text/csv"))
    calm(app.run())
    assert not app.error
    assert "2 · Roles" in words(app)


def test_names_that_leave_the_folder_are_left_out(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    small = small_cohort(6)
    app = open_page(monkeypatch, workspace.root, "cohort")
    uploader(app, "Images").set_value([small.images[0], ("../../evil.png", small.images[1][1], "image/png"), (".hidden.png", b"x", "image/png")])
    calm(app.run())
    assert "1 image file" in words(app)
    assert "2 files left out" in words(app)
    kept = [p for p in workspace.root.rglob("*.png")]
    assert len(kept) == 1
    assert not (workspace.root.parent / "evil.png").exists()


def test_group_names_are_shown_as_text(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> None:
    small = small_cohort()
    table = small.table.assign(sex=["<b>x</b>" if i % 2 else ":red[y]" for i in range(48)])
    table.to_csv(tmp_path / "clinic.csv", index=False)
    for name, data, _ in small.images:
        (tmp_path / name).write_bytes(data)
    ingest(workspace, tmp_path / "clinic.csv")
    app = calm(open_page(monkeypatch, workspace.root, "cohort", attribute="sex"))
    raw = "\n".join(m.value for m in app.markdown if not m.value.startswith("<style"))
    assert "<b>" not in raw
    assert ":red[" not in raw.replace("\\:red", "")


def test_sample_images_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> None:
    small = small_cohort()
    small.table.to_csv(tmp_path / "clinic.csv", index=False)
    for name, data, _ in small.images:
        (tmp_path / name).write_bytes(data)
    ingest(workspace, tmp_path / "clinic.csv")
    app = calm(open_page(monkeypatch, workspace.root, "cohort"))
    assert not app.image
    next(t for t in app.toggle if t.key == "show-samples").set_value(True)
    calm(app.run())
    assert len(app.image) == 2


def roles_of(app: AppTest) -> dict[str, str]:
    """Column -> role in the table of columns, as guessed; the table before a join stays in the session beside the longer one after it."""
    frames = [
        app.session_state[k]["frame"]
        for k in app.session_state._state.filtered_state
        if isinstance(app.session_state[k], dict) and "frame" in app.session_state[k]
    ]
    longest = max(frames, key=len)
    return dict(zip(longest["column"], longest["role"], strict=True))


def test_without_a_label_all_else_is_guessed_and_no_flag_is_named(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    rows = "".join(f"{i:04d},{'FM'[i % 2]},{30 + i % 50},{i % 7}.5,{int(i % 3 == 0)}\n" for i in range(120))
    app = open_page(monkeypatch, workspace.root, "cohort")
    uploader(app, "Table").set_value(("t.csv", ("patient_id,sex,age,crp,outcome_90d\n" + rows).encode(), "text/csv"))
    calm(app.run())
    guessed = roles_of(app)
    assert (guessed["patient_id"], guessed["age"], guessed["crp"]) == ("patient id", "table value", "table value")
    said = " ".join([*(w.value for w in app.warning), *(e.value for e in app.error), *(c.value for c in app.caption)]).replace("\\", "")
    assert "Give its column the role 'label'" in said
    assert "--" not in said


@pytest.mark.parametrize(("tick", "groups"), [(False, {"F", "Female", "M"}), (True, {"F", "M"})])
def test_groups_that_look_alike_are_put_together_only_when_ticked(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tick: bool, groups: set[str]) -> None:
    small = small_cohort()
    table = small.table.assign(sex=[("F", "Female", "M", "M")[i % 4] for i in range(48)])
    app = open_page(monkeypatch, workspace.root, "cohort")
    uploader(app, "Table").set_value(("clinic.csv", table.to_csv(index=False).encode(), "text/csv"))
    calm(app.run())
    uploader(app, "Images").set_value(small.images)
    calm(app.run())
    if tick:
        next(c for c in app.checkbox if "look like one group" in c.label).check()
        calm(app.run())
    next(b for b in app.button if b.label == "Save cohort").click()
    calm(app.run())
    [summary] = list_cohorts(workspace)
    assert set(load(workspace, summary.cohort_id).table["sex"]) == groups


def test_the_server_reads_only_below_the_folders_that_were_named(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path: Path) -> None:
    for folder in ("shared", "private"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("id,label\n1,0\n")
    monkeypatch.setenv("MULTIFAIR_ROOTS", str(tmp_path / "shared"))
    draft = Draft.new(workspace)
    draft.point_to(str(tmp_path / "shared" / "t.csv"), "")
    assert draft.table == (tmp_path / "shared" / "t.csv").resolve()
    (tmp_path / "shared" / "link.csv").symlink_to(tmp_path / "private" / "t.csv")
    for table, images in (("private/t.csv", ""), ("shared/../private/t.csv", ""), ("shared/link.csv", ""), ("shared/t.csv", "private")):
        with pytest.raises(UserError, match="reads only below"):
            draft.point_to(str(tmp_path / table), str(tmp_path / images) if images else "")


def test_a_number_ticked_as_sensitive_is_cut_into_bands(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    rows = "".join(f"p{i},{'FM'[i % 2]},{20 + i % 60},{i % 7}.5,{int(i % 3 == 0)}\n" for i in range(240))
    draft = Draft.new(workspace)
    (draft.folder / "t.csv").write_text("patient_id,sex,age,crp,label\n" + rows)
    roles = Roles(None, "patient_id", "label", "1", None, ("sex", "age"), (Modality("labs", "tabular", ("crp",)),))
    draft.remember(table=str(draft.folder / "t.csv"), table_name="t.csv", roles=roles.to_dict())
    app = calm(open_page(monkeypatch, workspace.root, "cohort", draft=draft.token))
    edges = next(t for t in app.text_input if t.label.startswith("Edges"))
    assert edges.value == "35, 50, 64"
    edges.set_value("40")
    calm(app.run())
    # A reload finds the choice again.
    app = calm(open_page(monkeypatch, workspace.root, "cohort", draft=draft.token))
    assert next(t for t in app.text_input if t.label.startswith("Edges")).value == "40"
    next(b for b in app.button if b.label == "Save cohort").click()
    calm(app.run())
    [summary] = list_cohorts(workspace)
    cohort = load(workspace, summary.cohort_id)
    assert cohort.roles.attributes == ("sex", "age band")
    assert cohort.table["age band"].value_counts().to_dict() == {"<40": 80, "40+": 160}


def test_a_further_table_is_joined_by_the_id_that_is_chosen(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    rows = [f"V{i},P{i // 2},{i % 50 + 20},{i // 2 % 2}" for i in range(80)]
    facts = [f"P{i},{('F', 'M')[i % 2]},{('White', 'Black', 'Asian')[i % 3]}" for i in range(40)]
    app = calm(open_page(monkeypatch, workspace.root, "cohort"))
    uploader(app, "Table with one row").set_value(("visits.csv", ("visit,patient_id,age,label\n" + "\n".join(rows)).encode(), "text/csv"))
    calm(app.run())
    uploader(app, "Table with facts").set_value(("people.csv", ("subject,sex,race\n" + "\n".join(facts)).encode(), "text/csv"))
    app.run()
    assert any("choose the column that holds the same ids" in e.value for e in app.error)
    next(s for s in app.selectbox if s.label == "Id in the table").set_value("patient_id")
    next(s for s in app.selectbox if s.label.startswith("Id in people")).set_value("subject")
    calm(app.run())
    assert {"sex", "race"} <= {c for c, role in roles_of(app).items()}
    next(b for b in app.button if b.label == "Save cohort").click()
    calm(app.run())
    [summary] = list_cohorts(workspace)
    table = load(workspace, summary.cohort_id).table
    assert len(table) == 80 and table["sex"].tolist() == [("F", "M")[i // 2 % 2] for i in range(80)]
