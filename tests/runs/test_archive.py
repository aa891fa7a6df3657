from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from core import cohort as cohorts
from core.cli import main
from core.errors import UserError
from core.runs.archive import export, import_archive
from core.store import Store
from core.workspace import Workspace
from tests.factories import FakeWorkspace, fake_workspace


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkspace:
    return fake_workspace(tmp_path_factory.mktemp("archive") / "workspace", runs=3, patients=60, epochs=2)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_whole_workspace_comes_back_to_the_byte(fake: FakeWorkspace, tmp_path: Path) -> None:
    (fake.workspace.audits / "0123456789ab").mkdir(exist_ok=True)
    (fake.workspace.audits / "0123456789ab" / "audit.json").write_text("{}", encoding="utf-8")
    made = export(fake.workspace, tmp_path / "all.zip")
    assert len(made.added["runs"]) == 5 and len(made.left_out) == 2, "a queued and a running run stay out"
    other = Workspace.open(tmp_path / "other")
    taken = import_archive(other, tmp_path / "all.zip")
    assert {kind: sorted(names) for kind, names in taken.added.items()} == {kind: sorted(names) for kind, names in made.added.items() if names}
    for kind, names in made.added.items():
        for name in names:
            assert files(other.root / kind / name) == files(fake.workspace.root / kind / name)
    with Store.open(other) as store:
        assert set(store.runs()["run_id"]) == set(made.added["runs"]) and len(store.cohorts()) == 1
    again = import_archive(other, tmp_path / "all.zip")
    assert not again.added and all(line.endswith("exists already") for line in again.left_out)
    assert not list(other.root.glob(".importing-*"))


def test_a_selected_run_brings_its_cohort_and_nothing_else(fake: FakeWorkspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workspace", str(fake.workspace.root), "--json"]
    assert main(["export", str(tmp_path / "one.zip"), "--run-id", fake.run_ids[1], *words]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == {"cohorts": [fake.cohort.cohort_id], "runs": [fake.run_ids[1]]}
    assert main(["export", str(tmp_path / "one.zip"), *words]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "one.zip"), "--workspace", str(tmp_path / "other")]) == 0
    assert "imported: 1 cohorts, 1 runs" in capsys.readouterr().out
    assert cohorts.load(Workspace.open(tmp_path / "other"), fake.cohort.cohort_id).n == 60


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "runs/../../evil/x",
        "/etc/passwd",
        "runs/a",
        "elsewhere/a/b",
        "runs/.hidden/spec.json",
        "runs/a/.lock",
        "cohorts/a/..\\b",
        "runs/a b/spec.json",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(UserError, match="which no export of multifair would"):
        import_archive(Workspace.open(tmp_path / "w"), tmp_path / "evil.zip")
    assert not list((tmp_path / "w").rglob("*evil*"))


def test_a_run_or_cohort_that_is_not_what_it_says_is_left_out(fake: FakeWorkspace, tmp_path: Path) -> None:
    spec = (fake.workspace.runs / fake.run_ids[0] / "spec.json").read_text(encoding="utf-8")
    status = (fake.workspace.runs / fake.run_ids[0] / "status.json").read_text(encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "strange.zip", "w") as archive:
        archive.writestr("runs/another/spec.json", spec)
        archive.writestr("runs/another/status.json", status)
        archive.writestr(f"runs/{fake.run_ids[0]}/spec.json", spec)
        archive.writestr(f"runs/{fake.run_ids[0]}/status.json", status)
        archive.writestr("cohorts/abc/manifest.json", "[" * 50_000)
    taken = import_archive(Workspace.open(tmp_path / "w"), tmp_path / "strange.zip")
    said = "\n".join(taken.left_out)
    assert not taken.added and "belongs to another run" in said and "no readable predictions" in said and "nested too deeply" in said


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no zip at all"])
def test_what_is_no_archive_is_one_message(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    for file, why in (("x.zip", "not a readable archive"), ("none.zip", "no such file")):
        with pytest.raises(UserError, match=rf"{file}: {why}"):
            import_archive(Workspace.open(tmp_path / "w"), tmp_path / file)
