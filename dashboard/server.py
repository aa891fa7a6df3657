"""The door of the dashboard: only who knows the token, or has logged in, gets in.

Every request is looked at before Streamlit sees it. The address that is opened first holds
the token; the browser keeps it as a cookie, and the address loses it again. $MULTIFAIR_ACCESS
chooses the door: `token` (the default), `login` for a server whose users log in by OpenID
Connect (dashboard/login.py), or `open` for a machine on which everybody may look.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import streamlit as st
from starlette.datastructures import URL, Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse

from core.access_token import COOKIE, access_token
from core.errors import UserError, storage_problem
from core.workspace import Workspace
from dashboard.escape import md

ACCESS = "MULTIFAIR_ACCESS"
DOORS = ("token", "login", "open")
PARAMETER = "token"
HEALTH = "/_stcore/health"
"""Says nothing but that a server is there."""
REFUSED = "This dashboard opens at the address that was printed when it started, which ends in ?token=..."
NOTHING_TO_LOG_IN_BY = f"{ACCESS}=login needs an [auth] section in dashboard/.streamlit/secrets.toml that names your identity provider: see SERVER.md"
CLOSE_POLICY = 1008

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AccessToken:
    """ASGI middleware: lets pass who brings the token, in the address once and as a cookie from then on.

    Without a token (None) everybody of this origin passes: then another door stands behind this one.
    Websockets from a page of another origin are refused here, before Streamlit would look
    up the machine's external address to compare it.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], token: str | None) -> None:
        self.app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not _same_origin(headers):
            await _refuse(scope, receive, send, "This page belongs to another address.")
        elif self._token is None or scope["path"] == HEALTH or self._has_cookie(scope, headers):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "GET" and self._is_token(dict(parse_qsl(scope["query_string"].decode("latin-1"))).get(PARAMETER)):
            await self._welcome(scope)(scope, receive, send)
        else:
            await _refuse(scope, receive, send, REFUSED)

    def _has_cookie(self, scope: Scope, headers: Headers) -> bool:
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope)))

    def _is_token(self, given: str | None) -> bool:
        return given is not None and self._token is not None and secrets.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, scope: Scope) -> RedirectResponse:
        url = URL(scope=scope)
        rest = urlencode([(name, value) for name, value in parse_qsl(url.query) if name != PARAMETER])
        # One slash: two would send the browser to another host.
        answer = RedirectResponse(
            "/" + url.path.lstrip("/") + (f"?{rest}" if rest else ""), status_code=303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        )
        answer.set_cookie(_cookie_name(scope), self._token or "", httponly=True, samesite="lax", secure=scope["scheme"] == "https")
        return answer


def _cookie_name(scope: Scope) -> str:
    return COOKIE.format(port=(scope.get("server") or ("", 0))[1])


def _same_origin(headers: Headers) -> bool:
    """Whether the page that asks was served from here; programs other than browsers send no origin."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": CLOSE_POLICY, "reason": why})
    else:
        await PlainTextResponse(why + "\n", status_code=403)(scope, receive, send)


def say_storage_problem(error: Exception) -> bool:
    """Show a full disk or a lost share in one line, in the page of whoever met it; the others go on."""
    problem = str(error) if isinstance(error, UserError) else storage_problem(error)
    if problem is None:
        return False
    st.error(md(problem), icon=":material/error:")
    return True


def door() -> str:
    """`token`, `login` or `open`. Raises UserError for anything else: a door that is misspelt must not stand open."""
    chosen = os.environ.get(ACCESS) or DOORS[0]
    if chosen not in DOORS:
        raise UserError(f"{ACCESS} is {', '.join(DOORS)}, not {chosen!r}")
    return chosen


def token() -> str | None:
    """What a browser has to bring; None where the door is another."""
    return access_token(Workspace.open()) if door() == "token" else None


@asynccontextmanager
async def announced(_: Any) -> AsyncIterator[None]:
    """Say where the dashboard opens, as notebooks do, before it answers."""
    if door() == "login" and not _has_login():
        raise UserError(NOTHING_TO_LOG_IN_BY)
    given = token()
    listening = st.get_option("server.address")
    # All addresses of a machine are none that a browser can open.
    host = "127.0.0.1" if listening in (None, "", "0.0.0.0", "::") else listening
    address = f"http://{host}:{st.get_option('server.port')}/"
    print(f"The dashboard opens at {address}{f'?{PARAMETER}={given}' if given else ''}", flush=True)
    if door() == "open":
        print(f"Everybody who reaches this address may look ({ACCESS}=open).", flush=True)
    yield


def _has_login() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
