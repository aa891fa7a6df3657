"""Uploads: they leave the server's memory as soon as they are on disk, and keep the name that their user gave them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx


def free(uploads: Iterable[Any]) -> None:
    """Drop the bytes of uploaded files from the server's memory.

    Streamlit keeps them until the next upload or the end of the session. Outside a
    running server (tests) there is nothing to free.
    """
    context = get_script_run_ctx()
    manager = getattr(context, "uploaded_file_mgr", None)
    if context is None or manager is None:
        return
    for upload in uploads:
        identity = getattr(upload, "file_id", None)
        if identity is not None:
            manager.remove_file(session_id=context.session_id, file_id=identity)
