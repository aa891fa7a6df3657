"""Users of a team server: who they are, by OpenID Connect, and where their work lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from core.workspace import write_atomic
from dashboard.escape import md
from dashboard.server import door

USERS = "users"


def require_login() -> None:
    """Nothing of a page runs before its reader has logged in, where the server asks for that."""
    if door() != "login":
        return
    if not st.user.is_logged_in:
        st.title("Who are you?", anchor=False)
        st.button("Log in", type="primary", on_click=st.login)
        st.stop()
    with st.sidebar:
        st.caption(md(_shown()))
        st.button("Log out", on_click=st.logout)


def own_folder(root: Path) -> Path:
    """The folder of the workspace of whoever is logged in: each user of a team server has one; `root` itself elsewhere.

    It is named by issuer and subject, which never change hands; `owner.txt` in it says whose it is.
    """
    if door() != "login":
        return root
    who = f"{st.user['iss']}\n{st.user['sub']}"
    folder = root / USERS / hashlib.sha256(who.encode()).hexdigest()[:24]
    if not (folder / "owner.txt").is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(folder / "owner.txt", _shown() + "\n")
    return folder


def _shown() -> str:
    return str(st.user.get("email") or st.user.get("name") or st.user["sub"])
