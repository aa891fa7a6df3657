"""Does a sweep survive everything that can happen to it? Kills, torn files, a full disk and moved clocks, then a count.

One sweep is left in peace, the same sweep is disturbed at random moments. Afterwards every
run must be complete, none trained to its end twice, predictions equal bit for bit, no process
left, no lock held, no half-written file lying about.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from core import cohort as cohorts
from core.cohort.planted import simulate
from core.errors import UserError
from core.locks import holding, is_held
from core.methods import first_choice, of_one_modality
from core.runs import RunSpec, folders, plan, retry, set_parallel, settle_dead_runs, submit
from core.runs.dead_runs import worker_lock
from core.runs.environment import ROOT
from core.runs.folder import SETTLED, RunFolder
from core.runs.wait import wait
from core.runs.worker import JOB_MODULE
from core.store import Store
from core.workspace import Workspace

TINY: dict[str, Any] = {"width": 8, "heads": 2, "image_size": 16, "bootstrap": 5, "epochs": 40}
PATIENTS = 160
DISK = "256m"
TARGETS = {"job": JOB_MODULE, "worker": "core.runs.worker", "server": "core.study.torture", "ingest": "core.cli"}
"""What is killed -> the module by which its process is known."""
SHARES = {"job": 0.5, "worker": 0.2, "server": 0.2, "ingest": 0.1}
"""Of the kills. What is left over by rounding goes to jobs, and the first kill is of a job."""
IN_TRAINING = 0.7
"""Share of the kills of jobs that wait for one with a checkpoint; the first always does."""
PATIENCE, LOOK = 5.0, 0.02
"""Seconds for which a victim is waited for, and between two looks for one."""
LONGEST_WAIT = 600.0
DAY = 86_400.0
Progress = Callable[[str], None]


@dataclass
class Outcome:
    """What was done to a sweep, and what was wrong with it afterwards."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TARGETS, 0))
    disturbances: dict[str, int] = field(default_factory=lambda: {"torn file": 0, "clock jump": 0, "full disk": 0})
    runs: int = 0
    attempts: int = 0
    """Of all runs together; more than `runs` where a kill hit a training."""
    seconds: float = 0.0
    not_tried: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def torture(folder: Path, kills: int, seed: int, progress: Progress, seeds: int = 3) -> Outcome:
    """Disturb a sweep of `seeds` seeds of each of two methods; the folder must be new.

    Raises UserError when the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder}: is not empty; name a new folder")
    begun, outcome, rng = time.monotonic(), Outcome(), np.random.default_rng(seed)
    calm = Workspace.open(folder / "calm")
    simulate(folder / "files", patients=PATIENTS, seed=1)
    cohort = cohorts.ingest(calm, folder / "files" / "cohort.csv", images=folder / "files", name="Tortured")
    specs = plan(cohort, [name for name in first_choice() if name not in of_one_modality()], seeds=range(1, seeds + 1), settings=TINY)
    progress(f"{len(specs)} runs in peace")
    set_parallel(calm, 2)
    wait(calm, [handle.run_id for handle in submit(calm, specs)], lambda _: None)
    with _small_disk(folder / "disturbed", outcome) as place:
        disturbed = Workspace.open(place / "workspace")
        shutil.copytree(calm.cohorts, disturbed.cohorts, dirs_exist_ok=True)
        set_parallel(disturbed, 2)
        (place / "workspace" / "plan.json").write_text(json.dumps([spec.to_dict() for spec in specs]), encoding="utf-8")
        _disturb(disturbed, folder / "files", specs, kills, rng, outcome, progress)
        _judge(calm, disturbed, specs, outcome)
    outcome.seconds = time.monotonic() - begun
    return outcome


def client(root: str) -> None:
    """What a server does all day: ask for the sweep, look at the results, try again what failed. Until all is done."""
    workspace = Workspace.open(root)
    specs = [RunSpec.from_dict(values) for values in json.loads((workspace.root / "plan.json").read_text(encoding="utf-8"))]
    with Store.open(workspace) as store:
        while True:
            try:
                # First, because asking again goes on from the checkpoint, and a torn one would fail for ever.
                for folder in folders(workspace):
                    status = folder.read_status()
                    if status["status"] == "failed" and "checkpoint" in str(status["reason"]):
                        retry(workspace, folder.run_id, fresh=True)
                submit(workspace, specs)
                store.refresh()
                done = store.runs(status="done")["run_id"]
                if {spec.run_id for spec in specs} <= set(done):
                    store.predictions(list(done))
                    return
            except (OSError, UserError) as error:
                # The disk is full for a while, or somebody else was faster.
                print(error, file=sys.stderr)
            time.sleep(0.3)


def _disturb(workspace: Workspace, files: Path, specs: list[RunSpec], kills: int, rng: np.random.Generator, outcome: Outcome, progress: Progress) -> None:
    started: dict[str, subprocess.Popen[bytes]] = {}
    end = time.monotonic() + LONGEST_WAIT + 15 * kills
    targets = planned_kills(kills, rng)
    while time.monotonic() < end:
        done = sum(folder.read_status()["status"] == "done" for folder in folders(workspace))
        if done == len(specs) and (sum(outcome.kills.values()) >= kills or not _processes(workspace, JOB_MODULE)):
            break
        _keep_going(workspace, files, started, ingest=sum(outcome.kills.values()) < kills)
        time.sleep(float(rng.uniform(0.1, 1.5)))
        if sum(outcome.kills.values()) < kills:
            _one_disturbance(workspace, rng, outcome, targets)
            progress(f"{sum(outcome.kills.values())} of {kills} kills, {done} of {len(specs)} runs done")
    if targets:
        outcome.not_tried.append(f"{len(targets)} of {kills} kills: the sweep was over before")
    _finish(workspace, started, specs, end, outcome)


def planned_kills(kills: int, rng: np.random.Generator) -> list[str]:
    """What is killed, in which order: by chance alone a short sweep was over without a job having been killed."""
    others = [name for name, share in SHARES.items() if name != "job" for _ in range(round(share * kills))]
    rest = [*others, *["job"] * max(0, kills - 1 - len(others))]
    return ["job", *(rest[i] for i in rng.permutation(len(rest)))][:kills]


def _finish(workspace: Workspace, started: dict[str, subprocess.Popen[bytes]], specs: list[RunSpec], end: float, outcome: Outcome) -> None:
    """Leave it in peace until everything has come to its end by itself."""
    while time.monotonic() < end and (_processes(workspace, *TARGETS.values()) or not _all_done(workspace, specs)):
        if not _all_done(workspace, specs):
            _keep_going(workspace, None, started, ingest=False)
        for process in started.values():
            process.poll()
        time.sleep(0.2)
    for process in started.values():
        if process.poll() is None:
            outcome.problems.append(f"a process of the torture itself was still there: {process.pid}")
            process.kill()


def _all_done(workspace: Workspace, specs: list[RunSpec]) -> bool:
    return sum(folder.read_status()["status"] == "done" for folder in folders(workspace)) == len(specs)


def _keep_going(workspace: Workspace, files: Path | None, started: dict[str, subprocess.Popen[bytes]], ingest: bool) -> None:
    """Start server and ingest again, as users do when they see that one is gone."""
    root = str(workspace.root)
    commands = {"server": ["-m", "core.study.torture", root]}
    if ingest and files is not None:
        code = "import sys; from core.cli import main; sys.exit(main(sys.argv[1:]))"
        # `core.cli` names the process for us.
        commands["ingest"] = [
            "-c",
            code,
            "ingest",
            str(files / "cohort.csv"),
            "--images",
            str(files),
            "--size",
            "24",
            "--workspace",
            root,
            "--name",
            "core.cli",
        ]
    for name, words in commands.items():
        if name not in started or started[name].poll() is not None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
            started[name] = subprocess.Popen(
                [sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )


def _one_disturbance(workspace: Workspace, rng: np.random.Generator, outcome: Outcome, targets: list[str]) -> None:
    kind = rng.choice(["kill", "torn file", "clock jump", "full disk"], p=[0.7, 0.12, 0.12, 0.06])
    if kind == "kill":
        name = targets.pop(0)
        # Most of a short job is its start; the moment in which it has something to lose comes rarely by chance.
        in_training = name == "job" and (outcome.kills["job"] == 0 or rng.random() < IN_TRAINING)
        if _kill(workspace, name, in_training, rng):
            outcome.kills[name] += 1
        else:
            targets.append(name)
    elif kind == "torn file":
        outcome.disturbances[kind] += _tear(workspace, rng)
    elif kind == "clock jump":
        _move_clock(workspace, rng)
        outcome.disturbances[kind] += 1
    elif "full disk" not in " ".join(outcome.not_tried):
        _fill(workspace, rng)
        outcome.disturbances[kind] += 1


def _kill(workspace: Workspace, name: str, in_training: bool, rng: np.random.Generator) -> bool:
    """Kill one process of this kind; False where none comes up within the patience."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        victims = [process for process in _processes(workspace, TARGETS[name]) if not in_training or _has_trained(process)]
        if victims:
            victims[int(rng.integers(len(victims)))].send_signal(signal.SIGKILL)
            return True
        time.sleep(LOOK)
    return False


def _processes(workspace: Workspace, *modules: str) -> list[psutil.Process]:
    """Living processes of this workspace that run one of the modules."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        ours = any(word == str(workspace.root) or word.startswith(f"{workspace.root}/") for word in words)
        if ours and set(modules) & set(words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _has_trained(process: psutil.Process) -> bool:
    try:
        folder = RunFolder(Path(process.cmdline()[-1]))
    except psutil.NoSuchProcess:
        return False
    return folder.checkpoint.exists()


def _tear(workspace: Workspace, rng: np.random.Generator) -> int:
    """Cut a file of a run that waits or has failed; 1 when there was one."""
    open_runs = [folder for folder in folders(workspace) if folder.read_status()["status"] in ("failed", "queued")]
    if not open_runs:
        return 0
    folder = open_runs[int(rng.integers(len(open_runs)))]
    file = [folder.journal, folder.checkpoint, folder.status_file, folder.spec_file][int(rng.integers(4))]
    with holding(folder.lock_file, wait=False) as got:
        if not got or not file.is_file() or folder.read_status()["status"] == "done":
            return 0
        os.truncate(file, int(rng.integers(file.stat().st_size + 1)))
    return 1


def _move_clock(workspace: Workspace, rng: np.random.Generator) -> None:
    """Files from tomorrow and yesterday, as after a clock that was set; the clock itself is not ours to set."""
    moved = time.time() + float(rng.choice([-DAY, DAY]))
    for folder in folders(workspace):
        for file in (folder.status_file, folder.journal, folder.spec_file):
            if rng.random() < 0.5 and file.is_file():
                os.utime(file, (moved, moved))
    wake = workspace.root / "queue.wake"
    if wake.is_file():
        os.utime(wake, (moved, moved))


def _fill(workspace: Workspace, rng: np.random.Generator) -> None:
    """Leave no byte on the small disk for a second or two."""
    ballast = workspace.root.parent / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * (1 << 20)):
                pass
    except OSError:
        time.sleep(float(rng.uniform(0.5, 2)))
    finally:
        ballast.unlink(missing_ok=True)


@contextmanager
def _small_disk(place: Path, outcome: Outcome) -> Iterator[Path]:
    """A small file system of its own, which can be filled; an ordinary folder where none can be mounted."""
    place.mkdir(parents=True)
    mounted = (
        shutil.which("mount") is not None
        and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)], capture_output=True, check=False).returncode == 0
    )
    if not mounted:
        outcome.not_tried.append("full disk: a small file system cannot be mounted by this account")
    try:
        yield place
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


def _judge(calm: Workspace, disturbed: Workspace, specs: list[RunSpec], outcome: Outcome) -> None:
    settle_dead_runs(disturbed)
    outcome.runs = len(specs)
    for spec in specs:
        there, reference = RunFolder(disturbed.runs / spec.run_id), RunFolder(calm.runs / spec.run_id)
        if not there.status_file.exists():
            outcome.problems.append(f"{spec.run_id} is missing")
            continue
        status = there.read_status()
        outcome.attempts += int(status["attempt"])
        if status["status"] != "done":
            outcome.problems.append(f"{spec.run_id} is {status['status']}: {status['reason']}")
        elif not _equal(there.predictions, reference.predictions):
            outcome.problems.append(f"{spec.run_id}: its predictions differ from the undisturbed run's")
        ends = sum(_ends(journal) for journal in there.path.glob("journal*.jsonl"))
        if status["status"] == "done" and ends != 1:
            outcome.problems.append(f"{spec.run_id} was trained to its end {ends} times")
        if there.lock_file.exists() and is_held(there.lock_file):
            outcome.problems.append(f"{spec.run_id}: its lock is still held")
    outcome.problems += [f"not settled: {folder.run_id}" for folder in folders(disturbed) if folder.read_status()["status"] not in SETTLED]
    outcome.problems += [f"orphan process: {' '.join(process.cmdline())}" for process in _processes(disturbed, *TARGETS.values())]
    if is_held(worker_lock(disturbed)):
        outcome.problems.append("the worker's lock is still held")
    outcome.problems += [f"left behind: {path.relative_to(disturbed.root)}" for path in disturbed.runs.rglob(".*") if path.name != ".lock"]


def _equal(one: Path, other: Path) -> bool:
    import pandas as pd

    return one.is_file() and other.is_file() and pd.read_parquet(one).equals(pd.read_parquet(other))


def _ends(journal: Path) -> int:
    """How often the journal says that the training came to its end."""
    count = 0
    for line in journal.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        count += isinstance(event, dict) and event.get("event") == "end" and event.get("status") == "done"
    return count


def temporary_torture(kills: int, seed: int, progress: Progress, seeds: int = 3) -> Outcome:
    """`torture` in a temporary folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="multifair-torture-") as folder:
        return torture(Path(folder) / "sweep", kills, seed, progress, seeds)


if __name__ == "__main__":
    client(sys.argv[1])
