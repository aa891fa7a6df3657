"""A further table on a page: facts about the same samples or patients, joined by the id that both tables have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.tables import Table, read
from core.tables.join import Joined, join_files, left_join
from dashboard.draft import TABLES, Draft
from dashboard.escape import md
from dashboard.page_advice import on_page
from dashboard.uploads import free

NAME_SIGNS = ("=", ":")


def bring_further(draft: Draft, title: str) -> None:
    """The uploader of a further table; what was brought, and the way to leave it out again."""
    turn = st.session_state.setdefault("_further_turn", 0)
    with st.expander(title, icon=":material/join_inner:", expanded=draft.further is not None):
        upload = st.file_uploader(f"Table with facts on the same ids ({', '.join(TABLES)})", key=f"further-{turn}")
        problem = st.session_state.pop("_further_problem", None)
        if problem:
            st.error(md(on_page(str(problem))), icon=":material/error:")
        if upload is not None:
            try:
                draft.keep_further(upload)
            except UserError as error:
                st.session_state["_further_problem"] = str(error)
            free([upload])
            st.session_state["_further_turn"] = turn + 1
            st.rerun()
        if draft.further is not None:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f":material/table: **{md(draft.state['further_name'])}**", width="stretch")
                if st.button("Leave it out", icon=":material/close:", type="tertiary", key="further-out"):
                    draft.drop_further()
                    st.rerun()


def joined(draft: Draft, table: Table) -> tuple[Joined, tuple[str, ...]]:
    """The table with the further one joined by the ids that are chosen, and the join as `ingest` takes it. Raises UserError."""
    path = draft.further
    if path is None or not path.is_file():
        return Joined(table), ()
    other = _read(str(path), path.stat().st_mtime_ns)
    here, there = [c for c in table.names if _plain(c)], [c for c in other.names if _plain(c)]
    common = [c for c in here if c in there]
    usual = _most_found(table, other, common)
    with st.container(border=True, horizontal=True, key="further-ids"):
        on = st.selectbox(
            "Id in the table",
            here,
            index=here.index(usual) if usual in here else None,
            key=f"further-here-{draft.token}",
            placeholder="Choose a column",
            width=260,
        )
        partner = st.selectbox(
            f"Id in {md(draft.state['further_name'])}", there, index=there.index(usual) if usual in there else None,
            key=f"further-there-{draft.token}-{path.name}", placeholder="Choose a column", width=260,
        )  # fmt: skip
    if on is None or partner is None:
        raise UserError("choose the column that holds the same ids in both tables, or leave the further table out")
    text = f"{path}:{on}" if on == partner else f"{path}:{on}={partner}"
    found = join_files(table, [text])
    return found, (text,)


def joined_for_audit(draft: Draft, table: Table) -> tuple[Table, tuple[Path, str] | None]:
    """The predictions with the columns of the further file that they lack, by an id of the same name in both; and that file and id. Raises UserError."""
    path = draft.further
    if path is None or not path.is_file():
        return table, None
    other = _read(str(path), path.stat().st_mtime_ns)
    common = [c for c in table.names if c in other.names]
    if not common:
        raise UserError(f"{draft.state['further_name']} has no column that the predictions have as well; give the id the same name in both files")
    usual = _most_found(table, other, common)
    with st.container(border=True, key="further-ids"):
        on = st.selectbox("Id that both files have", common, index=common.index(usual) if usual else 0, key=f"further-on-{draft.token}-{path.name}", width=320)
    facts = replace(other, columns={c: v for c, v in other.columns.items() if c == on or c not in table.columns}, _texts={})
    if len(facts.columns) < 2:
        raise UserError(f"{draft.state['further_name']} has no column that the predictions lack; leave it out")
    whole, missing = left_join(table, facts, on)
    if missing:
        st.warning(md(f"{missing} rows have an id that {draft.state['further_name']} does not have; its columns are empty there"), icon=":material/join_inner:")
    return whole, (path, on)


def _most_found(table: Table, other: Table, common: list[str]) -> str | None:
    """The common column with the most different values: an id rather than a sex."""
    return max(common, key=lambda c: len(set(other.encoded(c)[1]) & set(table.encoded(c)[1])), default=None)


def _plain(name: str) -> bool:
    return not any(sign in name for sign in NAME_SIGNS)


@st.cache_resource(show_spinner="Reading the table", max_entries=3)
def _read(path: str, fingerprint: int) -> Table:  # noqa: ARG001 -- part of the cache's key
    return read(path)
