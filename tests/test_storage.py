"""A disk that is full or read-only: one clear line, and what is finished can be read."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import main
from core.cohort.decode import ArrayFile, decode_all, keep_rows
from core.workspace import Workspace
from tests.factories import FakeWorkspace, fake_workspace

ROOT = Path(__file__).resolve().parents[1]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def full(*_: Any) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_array_written_by_rows_is_the_array(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (600, 3, 4, 4), dtype=np.uint8)
    names = [str(i) if i % 7 else None for i in range(600)]
    assert decode_all(tmp_path / "a.npy", names, (3, 4, 4), lambda name: images[int(name)], label="a") == {}
    made = np.load(tmp_path / "a.npy", mmap_mode="r", allow_pickle=False)
    expected = images * np.array([name is not None for name in names], np.uint8)[:, None, None, None]
    assert np.array_equal(made, expected) and sorted(p.name for p in tmp_path.iterdir()) == ["a.npy"]
    rows = np.flatnonzero(rng.random(600) < 0.5)
    keep_rows(tmp_path / "a.npy", rows)
    assert np.array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), expected[rows])


def test_a_full_disk_interrupts_decoding_which_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []

    def decode(name: str) -> np.ndarray:
        decoded.append(int(name))
        return np.full((1, 2, 2), int(name) % 200, np.uint8)

    names = [str(i) for i in range(700)]
    written = ArrayFile.write

    def until_full(self: ArrayFile, row: int, values: np.ndarray) -> None:
        if row >= 600:
            full()
        written(self, row, values)

    monkeypatch.setattr(ArrayFile, "write", until_full)
    with pytest.raises(OSError, match="No space left"):
        decode_all(tmp_path / "a.npy", names, (1, 2, 2), decode, label="a")
    assert not (tmp_path / "a.npy").exists()
    monkeypatch.setattr(ArrayFile, "write", written)
    decoded.clear()
    decode_all(tmp_path / "a.npy", names, (1, 2, 2), decode, label="a")
    assert min(decoded) == 512 and np.load(tmp_path / "a.npy", allow_pickle=False)[:, 0, 0, 0].tolist() == [i % 200 for i in range(700)]


@pytest.mark.parametrize("words", [["sample"], ["queue", "--pause"]])
def test_a_full_disk_is_one_line_and_exit_code_2(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("core.workspace.os.fsync", full)
    monkeypatch.setattr("core.cohort.decode.os.pwrite", full)
    assert main([*words, "--workspace", str(tmp_path)]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert "the disk is full; free some space and try again" in err[-1] and "Traceback" not in "".join(err)


@pytest.fixture
def read_only() -> Iterator[FakeWorkspace]:
    """A finished workspace that the account which reads it cannot change."""
    place = Path(tempfile.mkdtemp(prefix="multifair-test-"))
    fake = fake_workspace(place / "workspace", runs=2, patients=60, epochs=2, unsettled=False)
    place.chmod(0o755)
    for path in [fake.workspace.root, *fake.workspace.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield fake
    for path in [place, *(p for p in place.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    shutil.rmtree(place)


def without_privilege() -> None:
    """In the child before it begins: even root is bound by the modes of files."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        raise OSError("the privilege to pass over modes could not be given up")


def as_reader(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from core.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
        timeout=99,
        preexec_fn=without_privilege,
    )


def test_a_read_only_workspace_can_be_listed_and_reported_from_but_not_trained_in(read_only: FakeWorkspace) -> None:
    root = str(read_only.workspace.root)
    before = _stores_beside_a_workspace()  # a process that was killed elsewhere may have left one
    runs = as_reader("runs", "--workspace", root, "--json")
    assert runs.returncode == 0, runs.stderr
    assert {run["run_id"] for run in json.loads(runs.stdout)} == set(read_only.run_ids)
    listed = as_reader("results", "--workspace", root, "--json")
    assert listed.returncode == 0 and len(json.loads(listed.stdout)) == 2, listed.stderr
    with tempfile.TemporaryDirectory() as out:
        archive = Path(out) / "archive.zip"
        exported = as_reader("export", str(archive), "--workspace", root)
        assert exported.returncode == 0, exported.stderr
        with zipfile.ZipFile(archive) as file:
            assert {name.split("/")[1] for name in file.namelist() if name.startswith("runs/")} == set(read_only.run_ids)
    for words in (["retry", read_only.run_ids[0]], ["delete", "run", read_only.run_ids[0]], ["queue", "--pause"]):
        refused = as_reader(*words, "--workspace", root)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr and len(refused.stderr.strip().splitlines()) == 1, refused.stderr
        assert "permission is denied" in refused.stderr or "cannot be written to" in refused.stderr
    assert _stores_beside_a_workspace() <= before


def _stores_beside_a_workspace() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("multifair-*/store.duckdb"))


def test_a_new_workspace_where_nothing_can_be_written_is_one_line() -> None:
    refused = as_reader("runs", "--workspace", "/proc/nowhere")
    assert refused.returncode == 2 and len(refused.stderr.strip().splitlines()) == 1, refused.stderr


def test_doctor_says_what_is_open_to_others_and_what_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake = fake_workspace(tmp_path / "work space", runs=2, patients=60, epochs=2, unsettled=False)
    monkeypatch.setattr(Workspace, "tighten", lambda self: 0)
    (fake.workspace.cohorts / fake.cohort.cohort_id / "table.parquet").chmod(0o644)
    (fake.workspace.runs / fake.run_ids[0] / "predictions.parquet").write_bytes(b"PAR1")
    assert main(["doctor", "--workspace", str(fake.workspace.root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    text = "\n".join(report["problems"])
    assert f"1 folders and files of the workspace are open to other accounts: chmod -R go= '{fake.workspace.root}'" in text
    assert f"run {fake.run_ids[0]} is damaged: predictions.parquet" in text and report["workspace"]["disk_used_gb"] > 0


def test_workspaces_folders_are_not_made_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.open(tmp_path)
    monkeypatch.setattr(Workspace, "writable", False)
    assert workspace.entries(workspace.runs) == [] and not (tmp_path / "runs").exists()
