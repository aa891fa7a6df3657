"""The secret in the dashboard's address: who knows it may look, as with notebooks."""

from __future__ import annotations

import os
import re
import secrets

from core.workspace import Workspace, write_atomic

FILE = "server.token"
TOKEN_VARIABLE = "MULTIFAIR_TOKEN"
"""The token, from the program that started the server and has printed it."""
WHOLE = re.compile(r"[\w-]{32,}", re.ASCII)
BYTES = 24
COOKIE = "multifair-{port}"
"""A browser sends its cookies to every port of a machine, so each server has a name of its own."""


def access_token(workspace: Workspace) -> str:
    """The workspace's token, made when there is none; only its owner can read the file.

    It stays the same when the server starts again, so that open tabs find back. In a
    read-only workspace it lasts as long as the process, or as long as that of who started it.
    """
    given = os.environ.get(TOKEN_VARIABLE, "")
    if WHOLE.fullmatch(given):
        return given
    path = workspace.root / FILE
    if path.is_file():
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if WHOLE.fullmatch(text):
            return text
    token = secrets.token_urlsafe(BYTES)
    if workspace.writable:
        write_atomic(path, token + "\n")
    return token
