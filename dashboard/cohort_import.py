"""Bringing a cohort in three steps: files, roles, checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from core.cohort.labels import guess_positive

from core.charts.text import count, listing, plural
from core.cohort import images as pixels
from core.cohort.checks import check
from core.cohort.guess import guess_roles
from core.cohort.ingest import ingest
from core.cohort.manifest import read_manifest
from core.cohort.schema import Roles, validate
from core.cohort.sources import ImageSource, Unreadable, open_source
from core.errors import UserError
from core.tables.reader import read_table
from dashboard import state
from dashboard.draft import TABLES, Draft
from dashboard.escape import md
from dashboard.findings import show_findings
from dashboard.roles_table import CHOICES, LABEL, roles_frame, roles_from
from dashboard.uploads import free

PREVIEW_ROWS = 5
PREVIEW_IMAGES = 6
MOST_LABELS = 30


def bring() -> str | None:
    """Draw the three steps; returns the id of a cohort saved in this run of the page."""
    draft = Draft.open(state.workspace(), st.query_params.get("draft"))
    with st.container(border=True, key="step-files"):
        st.markdown("## 1 · Files")
        draft = _files(draft)
    if draft is None or draft.table is None:
        st.caption("Next: the role of each column, then the checks. Nothing is saved as a cohort before the last step.")
        return None
    try:
        table, source = _read(draft)
    except UserError as error:
        st.error(md(error), icon=":material/error:")
        return None
    with st.container(border=True, key="step-roles"):
        st.markdown("## 2 · Roles")
        roles = _roles(draft, table, source)
    if roles is None:
        return None
    with st.container(border=True, key="step-checks"):
        st.markdown("## 3 · Checks")
        return _checks(draft, table, roles, source)


def _files(draft: Draft | None) -> Draft | None:
    """The uploaders, and what has arrived so far."""
    upload, server = st.tabs(["Upload", "On this machine"])
    turn = st.session_state.setdefault("_upload_turn", 0)
    with upload:
        left, right = st.columns(2, gap="large")
        with left:
            table = st.file_uploader(f"Table with one row per sample ({', '.join(TABLES)})", key=f"table-{turn}")
        with right:
            folder = bool(st.session_state.get("upload-folder"))
            files = st.file_uploader(
                "Images or volumes: many files, or one zip",
                accept_multiple_files="directory" if folder else True,
                key=f"images-{turn}-{'folder' if folder else 'files'}",
                help="DICOM, PNG, JPEG, TIFF, NPZ, NPY. Names must match the paths in the table; folders in front of them may be left out.",
            )
            st.toggle("Choose a whole folder", key="upload-folder")
        if table is not None or files:
            draft = draft or _begin()
            _keep(draft, table, files if isinstance(files, list) else [files] if files else [])
    with server, st.form("on-server", border=False):
        st.caption("For large cohorts: the files stay where they are and are read from there.")
        path = st.text_input("Table", placeholder="/data/clinic/cohort.csv", key="server-table")
        where = st.text_input("Folder or zip with the images (empty: the table's own folder)", placeholder="/data/clinic/images", key="server-images")
        if st.form_submit_button("Use these files") and path:
            try:
                chosen = draft or _begin()
                chosen.point_to(path.strip(), where.strip() or str(Path(path.strip()).expanduser().parent))
                draft = chosen
            except UserError as error:
                st.error(md(error), icon=":material/error:")
    problem = st.session_state.pop("_upload_problem", None)
    if problem:
        st.error(md(problem), icon=":material/error:")
    if draft is not None:
        _arrived(draft)
    return draft


def _begin() -> Draft:
    draft = Draft.new(state.workspace())
    st.query_params["draft"] = draft.token
    return draft


def _keep(draft: Draft, table: Any, files: list[Any]) -> None:
    """Uploads to disk, then out of memory, then fresh uploaders."""
    try:
        if table is not None:
            draft.keep_table(table)
        if files:
            with st.spinner(f"Copying {plural(len(files), 'file')}"):
                draft.keep_images(files)
    except UserError as error:
        st.session_state["_upload_problem"] = str(error)
    free([upload for upload in (table, *files) if upload is not None])
    st.session_state["_upload_turn"] += 1
    st.rerun()


def _arrived(draft: Draft) -> None:
    known = draft.state
    parts = []
    if known.get("table"):
        parts.append(f":material/table: **{md(known['table_name'])}**")
    if known.get("images"):
        path = Path(known["images"])
        inside = path.is_relative_to(draft.folder)
        what = plural(draft.count_files(), "image file") if inside and path.is_dir() else "a zip of images" if path.suffix == ".zip" else f"files in {path}"
        parts.append(f":material/image: **{md(what)}**")
    if not parts:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" · ".join(parts), width="stretch")
        if st.button("Start over", icon=":material/restart_alt:", type="tertiary", key="start-over"):
            draft.discard()
            st.query_params.pop("draft", None)
            st.rerun()
    left_out = known.get("left_out") or []
    if left_out:
        st.caption(md(f"{plural(len(left_out), 'file')} left out (hidden, or a name that leaves the folder): {listing(left_out)}"))


@st.cache_data(show_spinner="Reading the table", max_entries=4)
def _table(path: str, mark: int) -> pd.DataFrame:
    return read_table(path)


def _read(draft: Draft) -> tuple[pd.DataFrame, ImageSource]:
    path = draft.table
    if path is None or not path.is_file():
        raise UserError("the table is no longer there; bring it again")
    table = _table(str(path), path.stat().st_mtime_ns)
    return table, open_source(draft.images if draft.images and draft.images.exists() else path.parent)


def _base(draft: Draft, table: pd.DataFrame, source: ImageSource) -> dict[str, Any]:
    """What the editor starts from: the choices of an earlier visit, a manifest, or a guess.

    Kept for the session: the editor holds its changes relative to it.
    """
    key = f"_base-{draft.token}-{draft.table}-{draft.images}"
    if key not in st.session_state:
        known = draft.state.get("roles")
        manifest = draft.table.with_name("manifest.toml") if draft.table else None
        problem, reasons, roles = "", {}, None
        try:
            if known:
                roles = Roles.from_dict(known)
                reasons = dict.fromkeys(table.columns, "as chosen before")
            elif manifest is not None and manifest.is_file():
                roles, _ = read_manifest(manifest)
                reasons = dict.fromkeys(table.columns, "from manifest.toml beside the table")
            else:
                guess = guess_roles(table, source)
                roles, reasons = guess.roles, guess.reasons
        except UserError as error:
            problem = str(error)
        empty = Roles(None, None, "", "", None, (), ())
        st.session_state[key] = {"frame": roles_frame(roles or empty, table, reasons), "roles": roles, "problem": problem}
    base: dict[str, Any] = st.session_state[key]
    return base


def _roles(draft: Draft, table: pd.DataFrame, source: ImageSource) -> Roles | None:
    """The editable guess with its preview; None while it does not fit."""
    base = _base(draft, table, source)
    if base["problem"]:
        st.warning(md(f"The roles could not all be guessed: {base['problem']}"), icon=":material/help:")
    st.caption(f"{count(len(table))} rows, {plural(len(table.columns), 'column')}. Correct what was guessed wrongly; the reason of each guess is beside it.")
    edited = st.data_editor(
        base["frame"],
        key=f"roles-{draft.token}-{Path(draft.table or '').name}",
        hide_index=True,
        width="stretch",
        height=min(35 * (len(table.columns) + 1) + 2, 422),
        disabled=["column", "examples", "why"],
        column_config={
            "column": st.column_config.TextColumn("Column", pinned=True),
            "role": st.column_config.SelectboxColumn("Role", options=list(CHOICES), required=True),
            "sensitive": st.column_config.CheckboxColumn("Sensitive attribute", help="Groups are compared by it. It reaches a model only if its role makes it an input."),
            "modality": st.column_config.TextColumn("Modality", help="Columns with the same name form one modality."),
            "examples": st.column_config.TextColumn("Examples"),
            "why": st.column_config.TextColumn("Why", width="large"),
        },
        alt="Role of each column of the table",
    )
    try:
        roles = _complete(draft, table, edited, base["roles"])
        validate(roles, list(table.columns))
    except UserError as error:
        st.error(md(error), icon=":material/error:")
        return None
    if draft.state.get("roles") != roles.to_dict():
        draft.remember(roles=roles.to_dict())
    _preview(table, roles, source)
    return roles


def _complete(draft: Draft, table: pd.DataFrame, edited: pd.DataFrame, guessed: Roles | None) -> Roles:
    labels = list(edited.loc[edited["role"] == LABEL, "column"])
    positive = ""
    if len(labels) == 1:
        values = sorted(map(str, table[labels[0]].dropna().unique()))
        if len(values) > MOST_LABELS:
            raise UserError(f"{labels[0]} has {len(values)} different values and cannot be the label; choose a column with two")
        usual = guessed.positive if guessed is not None and guessed.label == labels[0] else _usual(table, labels[0])
        positive = st.selectbox(
            f"Which value of {md(labels[0])} is the outcome (positive)?", values,
            index=values.index(usual) if usual in values else 0, key=f"positive-{draft.token}-{labels[0]}", width=320,
        )  # fmt: skip
    return roles_from(edited, positive or "", guessed.titles if guessed else None)


def _usual(table: pd.DataFrame, label: str) -> str:
    try:
        return guess_positive(table[label], label)
    except UserError:
        return ""


def _preview(table: pd.DataFrame, roles: Roles, source: ImageSource) -> None:
    with st.expander("Preview rows and images", icon=":material/preview:"):
        st.dataframe(table.head(PREVIEW_ROWS), hide_index=True, width="stretch", alt="First rows of the table")
        for modality in roles.modalities:
            if modality.kind != "image":
                continue
            shown, missing = [], []
            for reference in table[modality.columns[0]].dropna().head(PREVIEW_IMAGES):
                found = source.resolve(str(reference))
                try:
                    if found.name is None:
                        raise Unreadable(found.problem or "not found")
                    shown.append(pixels.decode_image(source.read(found.name), size=128, channels=3).transpose(1, 2, 0))
                except Unreadable as error:
                    missing.append(f"{reference}: {error}")
            if shown:
                st.image(shown, width=110, alt=[f"{modality.name}, image {i + 1}" for i in range(len(shown))])
            if missing:
                st.warning(md(f"{modality.name}: {listing(missing, 2)}"), icon=":material/image_not_supported:")


def _checks(draft: Draft, table: pd.DataFrame, roles: Roles, source: ImageSource) -> str | None:
    """What is wrong, with remedies; then saving, with progress."""
    try:
        findings = check(table, roles)
    except UserError as error:
        st.error(md(error), icon=":material/error:")
        return None
    show_findings(findings, "Nothing wrong found in the table", key="draft-findings")
    st.caption("Files are looked at when the cohort is saved. Rows whose files cannot be read safely are set aside and listed, never trained on.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the cohort", value=draft.state.get("name") or "cohort", key=f"name-{draft.token}", width=320)
        pressed = st.button("Save cohort", type="primary", icon=":material/save:", key="save-cohort", disabled=not name.strip())
    if not pressed:
        return None
    place = st.status("Saving the cohort", expanded=False)
    try:
        cohort = ingest(state.workspace(), draft.table or "", images=source, roles=roles, name=name.strip(), progress=lambda message: _say(place, message))
    except UserError as error:
        place.update(label="The cohort was not saved", state="error")
        st.error(md(error), icon=":material/error:")
        return None
    place.update(label=f"Saved: {plural(cohort.n, 'sample')} of {plural(cohort.n_patients, 'patient')}", state="complete")
    draft.remember(saved=cohort.cohort_id)
    return cohort.cohort_id


def _say(place: Any, message: str) -> None:
    place.update(label=message[:1].upper() + message[1:])
