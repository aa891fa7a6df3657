from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from core.locks import Lock, holding, is_held
from core.runs import processes, reasons
from tests.runs.conftest import eventually

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"


def child(code: str) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    return started


def test_a_living_process_is_alive_and_another_under_its_number_is_not() -> None:
    created = processes.started_at(os.getpid())
    assert created is not None
    assert processes.is_alive(os.getpid(), created)
    assert not processes.is_alive(os.getpid(), created - 10)
    assert not processes.is_alive(None, created)


def test_a_zombie_is_not_alive() -> None:
    process = child(WAITS)
    created = processes.started_at(process.pid)
    process.kill()
    eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, 10)
    assert psutil.pid_exists(process.pid), "the number alone says that it lives"
    assert not processes.is_alive(process.pid, created)
    process.communicate()
    assert not processes.is_alive(process.pid, created)


def test_only_our_own_jobs_are_ended() -> None:
    process = child(WAITS)
    created = processes.started_at(process.pid)
    assert created is not None
    assert not processes.end_group(process.pid, created, "core.runs.job")
    assert processes.is_alive(process.pid, created)
    process.communicate("")


def test_a_lock_goes_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"import sys; from pathlib import Path; from core.locks import Lock; l = Lock(Path({str(path)!r})); assert l.acquire(); {WAITS}"
    process = child(code)
    assert is_held(path)
    assert not Lock(path).acquire()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not is_held(path)
    with holding(path, wait=False) as got:
        assert got and is_held(path)
    assert not is_held(path)


def test_reasons_name_the_signal_and_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("one\ntwo\n\nthree\nfour\n", encoding="utf-8")
    reason = reasons.of_death(log, -signal.SIGKILL, None)
    assert "signal 9 (SIGKILL)" in reason and "two | three | four" in reason and "one" not in reason
    log.write_text("one\nnumber(part)\n  ~~~~~~^^^^^^\nTypeError: no\n", encoding="utf-8")
    assert "one | number(part) | TypeError: no" in reasons.of_death(log, 3, None)
    assert "exit code 3" in reasons.of_death(log, 3, None)
    assert "without a message" in reasons.of_death(log, None, None)
    assert "log is empty" in reasons.of_death(tmp_path / "none.txt", None, None)


def test_want_of_memory_is_recognised(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("Traceback\nMemoryError\n", encoding="utf-8")
    assert "out of memory: use a smaller batch_size" in reasons.of_death(log, 1, None)
    log.write_text("all is well\n", encoding="utf-8")
    assert "memory" not in reasons.of_death(log, 1, 0)


def test_the_kernels_count_tells_an_out_of_memory_kill(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    now = reasons.out_of_memory_kills()
    if now is None:
        assert "memory" not in reasons.of_death(log, -9, None)
    else:
        assert "ran out of memory" in reasons.of_death(log, -9, now - 1)
        assert "memory" not in reasons.of_death(log, -9, now)
        assert "memory" not in reasons.of_death(log, -15, now - 1)
