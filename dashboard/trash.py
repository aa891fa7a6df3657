"""Deleting what a page lists, with what goes along named, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.charts.text import plural
from core.errors import UserError
from core.runs.trash import TrashEntry, delete, list_trash, restore
from core.workspace import DAYS_IN_TRASH
from dashboard import address, state
from dashboard.escape import md

WORDS = {"cohort": "cohort", "run": "run", "audit": "audit", "upload": "upload"}
_LAST, _PROBLEM = "_deleted", "_trash_problem"


def delete_button(kind: str, identifiers: Sequence[str], title: str, goes_along: str = "", key: str = "", label: str = "Delete") -> None:
    """A button that asks once, names what goes along, and moves `identifiers` into the trash."""
    key = key or f"{kind}-{identifiers[0]}"
    with st.popover(label, icon=":material/delete:", type="tertiary", on_change="rerun", key=f"delete-{key}") as asked:
        if not asked.open:
            return
        st.markdown(f"**Delete {md(title)}?**")
        st.caption(md(f"{goes_along} It can be restored for {DAYS_IN_TRASH} days.".strip()))
        if st.button("Delete", type="primary", icon=":material/delete:", key=f"delete-now-{key}", width="stretch"):
            _delete(kind, identifiers, title)


def _delete(kind: str, identifiers: Sequence[str], title: str) -> None:
    entries = []
    try:
        for identifier in identifiers:
            entries.append(delete(state.workspace(), kind, identifier, with_runs=True).entry_id)  # type: ignore[arg-type]
    except UserError as error:
        st.session_state[_PROBLEM] = str(error)
    if entries:
        st.session_state[_LAST] = title, entries
        _forget_choice(kind)
    state.store(fresh=True)
    st.rerun(scope="app")


def _forget_choice(kind: str) -> None:
    """What was chosen above, or is named in the address, may be gone."""
    if kind in ("cohort", "run"):
        address.choose({"runs": ""} if kind == "run" else dict.fromkeys(address.CHOICE, ""))
    for name in {"audit": ("audit",), "upload": ("file", "draft")}.get(kind, ()):
        st.query_params.pop(name, None)


def last_deleted() -> None:
    """What was deleted last on any page, with the button that takes it back; and why a deletion was refused."""
    problem = st.session_state.pop(_PROBLEM, None)
    if problem:
        st.error(md(problem), icon=":material/error:")
    last = st.session_state.get(_LAST)
    if not last:
        return
    title, entries = last
    known = {entry.entry_id for entry in list_trash(state.workspace())}
    if not known.issuperset(entries):
        st.session_state.pop(_LAST)
        return
    with st.container(key="last-deleted", border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/delete: Deleted: {md(title)}", width="stretch")
        if st.button("Undo", icon=":material/undo:", key="undo-delete", type="tertiary"):
            _restore(entries)
        if st.button("", icon=":material/close:", key="undo-close", type="tertiary", help="Close this message. The trash keeps what was deleted."):
            st.session_state.pop(_LAST)
            st.rerun()


def trash_list(kinds: Sequence[str]) -> None:
    """What of these kinds can be taken back, folded."""
    entries = [entry for entry in list_trash(state.workspace()) if entry.kind in kinds]
    if not entries:
        return
    with st.expander(f"Trash · {plural(len(entries), 'deletion')}", icon=":material/delete:", key="trash"):
        for entry in entries:
            with st.container(horizontal=True, vertical_alignment="center", key=f"trash-{entry.entry_id}"):
                st.markdown(_described(entry), width="stretch")
                if st.button("Restore", icon=":material/undo:", key=f"restore-{entry.entry_id}", type="tertiary"):
                    _restore([entry.entry_id])


def _described(entry: TrashEntry) -> str:
    runs = len(entry.paths) - 1
    along = f" with {plural(runs, 'run')}" if entry.kind == "cohort" and runs else ""
    until = datetime.fromtimestamp(entry.expires).strftime("%d %B").lstrip("0")
    return f"{WORDS[entry.kind].capitalize()} **{md(entry.title)}**{along} · kept until {until}"


def _restore(entries: Sequence[str]) -> None:
    try:
        for entry in entries:
            restore(state.workspace(), entry)
    except UserError as error:
        st.session_state[_PROBLEM] = str(error)
    st.session_state.pop(_LAST, None)
    state.store(fresh=True)
    st.rerun(scope="app")
