"""A team server: who logs in by OpenID Connect gets in, to a workspace of their own. The provider is made up and lives in the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.browser.helpers import ROOT, _await_health, free_port, settle

pytest.importorskip("authlib", reason="streamlit[auth] is not installed")
CLIENT = "multifair"


class Provider(ThreadingHTTPServer):
    """Lets everybody in who asks, as the one whose name comes next in `people`."""

    def __init__(self) -> None:
        from joserfc.jwk import RSAKey

        super().__init__(("127.0.0.1", 0), Answers)
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.people: list[str] = []
        self.codes: dict[str, tuple[str, str]] = {}
        """Code -> who has logged in, and the nonce that was given."""

    def identity(self, code: str) -> str:
        from joserfc import jwt

        who, nonce = self.codes.pop(code)
        now = int(time.time())
        claims = {"iss": self.address, "sub": f"id of {who}", "aud": CLIENT, "iat": now, "exp": now + 600, "nonce": nonce, "email": f"{who}@example.org"}
        return jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)


class Answers(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        base, parts = self.server.address, urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            own = {name: f"{base}/{path}" for name, path in (("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "keys"))}
            self._answer({"issuer": base, **own, "response_types_supported": ["code"], "id_token_signing_alg_values_supported": ["RS256"]})
        elif parts.path == "/keys":
            self._answer({"keys": [self.server.key.as_dict(private=False)]})
        else:
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = f"code{len(self.server.codes)}-{time.monotonic_ns()}"
            self.server.codes[code] = self.server.people.pop(0), asked.get("nonce", "")
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
            self.end_headers()

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer({"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": self.server.identity(asked["code"][0])})

    def _answer(self, value: Any) -> None:
        raw = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def team_server(folder: Path, provider: Provider) -> Iterator[str]:
    """A dashboard whose users log in, on an empty folder; yields its address."""
    port = free_port()
    address, secrets, log = f"http://127.0.0.1:{port}", folder / "secrets.toml", folder / "log.txt"
    values = {
        "redirect_uri": f"{address}/oauth2callback",
        "cookie_secret": "made up for this test and nothing else",
        "client_id": CLIENT,
        "client_secret": "made up",
        "server_metadata_url": f"{provider.address}/.well-known/openid-configuration",
    }
    secrets.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()), encoding="utf-8")
    environment = {**os.environ, "MULTIFAIR_HOME": str(folder / "home"), "MULTIFAIR_ACCESS": "login", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"), "--server.port", str(port), "--secrets.files", str(secrets)]
    with log.open("w") as out:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _await_health(address, process, 60, log)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def test_each_user_works_in_a_workspace_of_their_own(browser: Any, provider: Provider, tmp_path: Path) -> None:
    users = tmp_path / "home" / "users"
    with team_server(tmp_path, provider) as address:
        owners = []
        for name in ("ada", "grace", "ada"):
            provider.people.append(name)
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            page.goto(f"{address}/train")
            page.get_by_role("heading", name="Who are you?").wait_for()
            assert page.locator("[data-testid=stSidebarNav]").count() == 0, "nothing is offered before the login"
            page.get_by_role("button", name="Log in").click()
            page.get_by_text(f"{name}@example.org").wait_for()
            settle(page)
            assert page.get_by_role("heading", name="Who are you?").count() == 0
            owners.append(sorted(path.read_text(encoding="utf-8").strip() for path in users.glob("*/owner.txt")))
            page.get_by_role("button", name="Log out").click()
            page.get_by_role("heading", name="Who are you?").wait_for()
            context.close()
    assert owners == [["ada@example.org"], ["ada@example.org", "grace@example.org"], ["ada@example.org", "grace@example.org"]]
    assert all(path.stat().st_mode & 0o077 == 0 for path in users.iterdir())
