"""The dashboard behind a door: `multifair app` starts it, and only who knows the token gets in.

Every request is looked at before Streamlit sees it. The address that is opened first holds
the token; the browser keeps it as a cookie, and the address loses it again.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # Streamlit puts only this file's folder on the path; `core` and `dashboard` lie one above.
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
from starlette.datastructures import URL, Headers  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.requests import cookie_parser  # noqa: E402
from starlette.responses import PlainTextResponse, RedirectResponse  # noqa: E402
from streamlit.starlette import App  # noqa: E402

from core.access_token import COOKIE, access_token  # noqa: E402
from core.errors import UserError, storage_problem  # noqa: E402
from core.workspace import Workspace  # noqa: E402
from dashboard.escape import md  # noqa: E402

PARAMETER = "token"
HEALTH = "/_stcore/health"
"""Says nothing but that a server is there."""
REFUSED = "This dashboard opens at the address that `multifair app` has printed, which ends in ?token=..."
CLOSE_POLICY = 1008

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class AccessToken:
    """ASGI middleware: lets pass who brings the token, in the address once and as a cookie from then on.

    Websockets from a page of another origin are refused here, before Streamlit would look
    up the machine's external address to compare it.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], token: str) -> None:
        self.app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not _same_origin(headers):
            await _refuse(scope, receive, send, "This page belongs to another address.")
        elif scope["path"] == HEALTH or self._has_cookie(scope, headers):
            await self.app(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "GET" and self._is_token(dict(parse_qsl(scope["query_string"].decode("latin-1"))).get(PARAMETER)):
            await self._welcome(scope)(scope, receive, send)
        else:
            await _refuse(scope, receive, send, REFUSED)

    def _has_cookie(self, scope: Scope, headers: Headers) -> bool:
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(_cookie_name(scope)))

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self._token.encode())

    def _welcome(self, scope: Scope) -> RedirectResponse:
        url = URL(scope=scope)
        rest = urlencode([(name, value) for name, value in parse_qsl(url.query) if name != PARAMETER])
        # One slash: two would send the browser to another host.
        answer = RedirectResponse(
            "/" + url.path.lstrip("/") + (f"?{rest}" if rest else ""), status_code=303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        )
        answer.set_cookie(_cookie_name(scope), self._token, httponly=True, samesite="lax", secure=scope["scheme"] == "https")
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


app = App(Path(__file__).with_name("app.py"), middleware=[Middleware(AccessToken, token=access_token(Workspace.open()))], on_script_error=say_storage_problem)
