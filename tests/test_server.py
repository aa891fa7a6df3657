"""Who gets into the dashboard that `multifair app` starts."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from core.access_token import access_token
from core.cli.app import await_server, free_port
from core.errors import UserError, storage_problem
from core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "t" * 32
HOST = "127.0.0.1:8501"


def ask(path: str = "/", query: str = "", kind: str = "http", method: str = "GET", key: str | None = TOKEN, **headers: str) -> tuple[str, list[dict[str, Any]]]:
    """`passed` or `refused`, and what was sent to the browser."""
    from dashboard.server import AccessToken

    passed, sent = [], []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"host": HOST, **headers}
    scope = {
        "type": kind, "path": path, "query_string": query.encode(), "method": method, "scheme": "http", "server": ("127.0.0.1", 8501),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()], "root_path": "", "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(AccessToken(behind, key)(scope, receive, send))
    return "passed" if passed else "refused", sent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFAIR_HOME", str(tmp_path / "workspace"))


@pytest.mark.parametrize("path", ["/", "/train", "/_stcore/stream", "/_stcore/upload_file/a/b", "/media/a.csv", "/static/x.js", "/component/x"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_without_the_token_nothing_is_answered(path: str, kind: str) -> None:
    for cookie in ("", "multifair-8501=wrong", f"multifair-8502={TOKEN}", f"other={TOKEN}"):
        answer, sent = ask(path, kind=kind, cookie=cookie)
        assert answer == "refused" and (sent[0].get("status") == 403 or sent[0]["type"] == "websocket.close")


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_with_the_cookie_everything_is(kind: str) -> None:
    assert ask("/_stcore/stream", kind=kind, cookie=f"a=b; multifair-8501={TOKEN}") == ("passed", [])


def test_the_token_moves_from_the_address_into_a_cookie() -> None:
    answer, sent = ask("/groups", f"cohort=a%20b&token={TOKEN}")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert answer == "refused" and sent[0]["status"] == 303 and headers["location"] == "/groups?cohort=a+b"
    assert f"multifair-8501={TOKEN}" in headers["set-cookie"] and "HttpOnly" in headers["set-cookie"] and "SameSite=lax" in headers["set-cookie"]
    assert ask("//elsewhere.example/", f"token={TOKEN}")[1][0]["status"] == 303
    location = dict(ask("//elsewhere.example/", f"token={TOKEN}")[1][0]["headers"])[b"location"]
    assert location == b"/elsewhere.example/"
    assert ask("/", "token=wrong")[1][0]["status"] == 403
    assert ask("/", f"token={TOKEN}", method="POST")[1][0]["status"] == 403


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1.elsewhere.example:8501"])
def test_a_page_of_another_origin_is_refused_before_streamlit_looks_up_any_address(origin: str) -> None:
    for kind in ("http", "websocket"):
        assert ask("/_stcore/stream", kind=kind, cookie=f"multifair-8501={TOKEN}", origin=origin)[0] == "refused"
    assert ask("/_stcore/stream", kind="websocket", cookie=f"multifair-8501={TOKEN}", origin=f"http://{HOST}")[0] == "passed"


def test_the_token_stays_and_is_its_owners_alone(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    token = access_token(workspace)
    assert access_token(workspace) == token and len(token) >= 32
    assert (workspace.root / "server.token").stat().st_mode & 0o777 == 0o600
    (workspace.root / "server.token").write_text("short\n", encoding="ascii")
    assert access_token(workspace) not in (token, "short")


def test_a_port_that_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use"):
            free_port(port)
        monkeypatch.setattr("core.cli.app.FIRST_PORT", port)
        assert free_port(None) > port
    with pytest.raises(UserError, match="or not a valid port"):
        free_port(99_999)


def test_multifair_app_prints_an_address_that_opens_and_ends_with_its_server(tmp_path: Path) -> None:
    import json

    command = [
        sys.executable,
        "-c",
        "import sys; from core.cli import main; sys.exit(main(sys.argv[1:]))",
        "app",
        "--no-browser",
        "--json",
        "--workspace",
        str(tmp_path / "home"),
    ]
    with subprocess.Popen([*command, "--port", str(free_port(None))], stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        printed = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        parts = urlsplit(printed["address"])
        assert statuses(parts.netloc, "/", f"/?{parts.query}") == [403, 303]
        assert parts.query.removeprefix("token=") not in Path(f"/proc/{printed['pid']}/cmdline").read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(printed["pid"], 0)


def statuses(netloc: str, *paths: str) -> list[int]:
    from http.client import HTTPConnection

    found = []
    for path in paths:
        connection = HTTPConnection(netloc, timeout=60)
        connection.request("GET", path)
        found.append(connection.getresponse().status)
        connection.close()
    return found


@pytest.mark.parametrize(("access", "tokens", "expected"), [(None, True, [403, 403, 303]), ("open", False, [200])])
def test_streamlit_run_has_the_same_door_and_prints_where_it_opens(access: str | None, tokens: bool, expected: list[int], tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("MULTIFAIR_ACCESS", "MULTIFAIR_TOKEN")}
    environment |= {"MULTIFAIR_HOME": str(tmp_path / "home"), **({"MULTIFAIR_ACCESS": access} if access else {})}
    port = free_port(None)
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"), "--server.port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            line = next(text for text in iter(process.stdout.readline, "") if "opens at" in text)
            parts = urlsplit(line.split()[-1])
            assert parts.netloc == f"127.0.0.1:{port}" and parts.query.startswith("token=") is tokens
            await_server(port, process)
            assert statuses(parts.netloc, *(["/", "/?token=wrong"] if tokens else []), f"/?{parts.query}") == expected
            listening = {found.laddr.ip for found in psutil.Process(process.pid).net_connections("inet") if found.status == "LISTEN"}
            assert listening == {"127.0.0.1"}
        finally:
            process.terminate()


@pytest.mark.parametrize(("access", "said"), [("opne", "not 'opne'"), ("login", "needs an \\[auth\\] section")])
def test_a_door_that_is_misspelt_or_leads_nowhere_stays_shut(access: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.server import announced

    async def begin() -> None:
        async with announced(None):
            raise AssertionError("it opened")

    monkeypatch.setenv("MULTIFAIR_ACCESS", access)
    with pytest.raises(UserError, match=said):
        asyncio.run(begin())


def test_users_who_log_in_have_workspaces_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import draft, login

    monkeypatch.setenv("MULTIFAIR_ACCESS", "login")
    found = []
    for user in ({"iss": "https://a", "sub": "1", "email": "ann@x"}, {"iss": "https://a", "sub": "2", "email": "ann@x"}, {"iss": "https://b", "sub": "1"}):
        monkeypatch.setattr(login.st, "user", user)
        found.append(login.own_folder(tmp_path))
        assert login.own_folder(tmp_path) == found[-1] and found[-1].parent == tmp_path / "users"
    monkeypatch.delenv("MULTIFAIR_ROOTS", raising=False)
    assert draft.readable_roots() == [], "the server's account may read what its users may not"
    with pytest.raises(UserError, match="no folders of this server"):
        draft._below_roots(tmp_path)
    assert len(set(found)) == 3 and (found[0] / "owner.txt").read_text(encoding="utf-8") == "ann@x\n"
    monkeypatch.delenv("MULTIFAIR_ACCESS")
    assert login.own_folder(tmp_path) == tmp_path


def test_without_a_token_other_origins_are_still_refused() -> None:
    assert ask("/", key=None)[0] == "passed"
    assert ask("/", key=None, origin="http://elsewhere.example")[0] == "refused"


def test_the_server_of_a_read_only_workspace_knows_the_token_that_was_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "writable", False)
    workspace = Workspace(tmp_path)
    assert access_token(workspace) != access_token(workspace)
    monkeypatch.setenv("MULTIFAIR_TOKEN", TOKEN)
    assert access_token(workspace) == TOKEN


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ESTALE])
def test_storage_problems_are_one_line_that_names_the_file(number: int) -> None:
    said = str(storage_problem(OSError(number, os.strerror(number), "/data/x.npy")))
    assert said.startswith("/data/x.npy: ") and "\n" not in said


def test_what_libraries_say_of_a_full_disk_is_understood() -> None:
    import duckdb

    assert "disk is full" in str(
        storage_problem(RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0: PytorchStreamWriter file write failed"))
    )
    assert "disk is full" in str(storage_problem(duckdb.IOException('Could not write file "x": No space left on device')))
    assert storage_problem(ValueError("no space left")) is None and storage_problem(RuntimeError("shapes differ")) is None
    assert storage_problem(FileNotFoundError(errno.ENOENT, "no such file", "x")) is None


def test_the_container_file_names_what_there_is() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    copied = [words[1:-1] for words in (line.split() for line in text.splitlines()) if words[:1] == ["COPY"]]
    assert copied and all((ROOT / name).exists() for names in copied for name in names)
    assert "USER multifair" in text and "MULTIFAIR_ACCESS" not in text, "not as root, and behind the door"


@pytest.mark.slow
def test_the_container_builds_and_answers_only_who_knows_the_token() -> None:
    import time

    builder = (
        next((name for name in ("docker", "podman") if subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0), None)
        if any(map(shutil.which, ("docker", "podman")))
        else None
    )
    if builder is None:
        pytest.skip("neither docker nor podman works here")
    subprocess.run([builder, "build", "-t", "multifair-smoke", "-f", "Containerfile", "."], cwd=ROOT, check=True)
    port = free_port(None)
    with subprocess.Popen([builder, "run", "--rm", "-p", f"127.0.0.1:{port}:8501", "multifair-smoke"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = next(text for text in iter(process.stdout.readline, "") if "opens at" in text)
            query = urlsplit(line.split()[-1]).query
            time.sleep(2)
            assert statuses(f"127.0.0.1:{port}", "/", f"/?{query}") == [403, 303]
        finally:
            process.terminate()
