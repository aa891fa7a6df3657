"""Bringing a cohort in three steps: files, roles, checks."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.text import count, listing, plural
from core.cohort import images as pixels
from core.cohort.checks import check
from core.cohort.folds import FEWEST
from core.cohort.guess import propose_roles
from core.cohort.ingest import ingest
from core.cohort.manifest import read_manifest
from core.cohort.preparation import BAND, parse_bins, prepared, prepared_for
from core.cohort.schema import Roles, validate
from core.cohort.sources import ImageSource, Unreadable, open_source
from core.errors import UserError
from core.tables.crossing import crossed_name
from core.tables.numbers import to_number
from core.tables.splits import folds
from dashboard import state
from dashboard.draft import TABLES, Draft, readable_roots
from dashboard.escape import md
from dashboard.findings import show_findings
from dashboard.further_table import bring_further, joined
from dashboard.group_editor import band_editor, is_banded, merge_boxes
from dashboard.label_editor import LabelChoice, label_editor
from dashboard.page_advice import on_page
from dashboard.roles_table import CHOICES, LABEL, roles_frame, roles_from
from dashboard.table_reading import ReadChoices, choose_and_read
from dashboard.uploads import free

PREVIEW_ROWS = 5
FOLDS = (3, 5, 10)
"""Numbers of folds that are offered."""
PREVIEW_IMAGES = 6


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
        choices, source = _read(draft)
        together, join = joined(draft, choices.table)
        choices = replace(choices, table=replace(together.table, findings=(*together.table.findings, *together.findings)), join=join)
        table = prepared(choices.table.frame, source=source)
    except UserError as error:
        st.error(md(on_page(str(error))), icon=":material/error:")
        return None
    with st.container(border=True, key="step-roles"):
        st.markdown("## 2 · Roles")
        roles = _roles(draft, table, source, together.stacked_by)
    if roles is None:
        return None
    with st.container(border=True, key="step-checks"):
        st.markdown("## 3 · Checks")
        return _checks(draft, table, roles, source, choices)


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
                help="DICOM, NIfTI, PNG, JPEG, TIFF, NPZ, NPY. Names must match the paths in the table; folders in front of them may be left out.",
            )
            st.toggle("Choose a whole folder", key="upload-folder")
        if table is not None or files:
            draft = draft or _begin()
            _keep(draft, table, files if isinstance(files, list) else [files] if files else [])
    with server, st.form("on-server", border=False):
        below = ", ".join(map(str, readable_roots()))
        st.caption(md(f"For large cohorts: the files stay where they are and are read from there. Folders below {below} can be named."))
        path = st.text_input("Table", placeholder="/data/clinic/cohort.csv", key="server-table")
        where = st.text_input("Folder or zip with the images (empty: the table's own folder)", placeholder="/data/clinic/images", key="server-images")
        if st.form_submit_button("Use these files") and path:
            try:
                chosen = draft or _begin()
                chosen.point_to(path.strip(), where.strip() or str(Path(path.strip()).expanduser().parent))
                draft = chosen
            except UserError as error:
                st.error(md(on_page(str(error))), icon=":material/error:")
    problem = st.session_state.pop("_upload_problem", None)
    if problem:
        st.error(md(problem), icon=":material/error:")
    if draft is not None:
        _arrived(draft)
        if draft.table is not None:
            bring_further(draft, "A further table, joined by an id")
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


def _read(draft: Draft) -> tuple[ReadChoices, ImageSource]:
    path = draft.table
    if path is None or not path.is_file():
        raise UserError("the table is no longer there; bring it again")
    choices = choose_and_read(path, draft.token)
    return choices, open_source(draft.images if draft.images and draft.images.exists() else path.parent)


def _base(draft: Draft, table: pd.DataFrame, source: ImageSource, patient: str | None) -> dict[str, Any]:
    """What the editor starts from: the choices of an earlier visit, a manifest, or a guess.

    Kept for the session: the editor holds its changes relative to it.
    """
    key = f"_base-{draft.token}-{draft.table}-{draft.images}-{_columns_mark(table)}"
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
                guess = propose_roles(table, source, patient_id=patient)
                roles, reasons, problem = guess.roles, guess.reasons, guess.question or ""
        except UserError as error:
            problem = str(error)
        if roles is not None and roles.bins:
            banded = {f"{column}{BAND}": column for column, _ in map(parse_bins, roles.bins)}
            roles = replace(roles, attributes=tuple(banded.get(a, a) for a in roles.attributes))
        empty = Roles(None, None, "", "", None, (), ())
        st.session_state[key] = {"frame": roles_frame(roles or empty, table, reasons), "roles": roles, "problem": problem}
    base: dict[str, Any] = st.session_state[key]
    return base


def _columns_mark(table: pd.DataFrame) -> str:
    """Another sheet or encoding has other columns or values: its roles are guessed anew."""
    return sha256("\n".join([*map(str, table.columns), *map(str, table.iloc[0])]).encode()).hexdigest()[:8]


def _roles(draft: Draft, table: pd.DataFrame, source: ImageSource, patient: str | None = None) -> Roles | None:
    """The editable guess with its preview; None while it does not fit."""
    base = _base(draft, table, source, patient)
    if base["problem"]:
        st.warning(md(f"Still needed: {on_page(base['problem'])}"), icon=":material/help:")
    st.caption(f"{count(len(table))} rows, {plural(len(table.columns), 'column')}. Correct what was guessed wrongly; the reason of each guess is beside it.")
    edited = st.data_editor(
        base["frame"],
        key=f"roles-{draft.token}-{Path(draft.table or '').name}-{_columns_mark(table)}",
        hide_index=True,
        width="stretch",
        height=min(35 * (len(table.columns) + 1) + 2, 422),
        disabled=["column", "examples", "why"],
        column_config={
            "column": st.column_config.TextColumn("Column", pinned=True),
            "role": st.column_config.SelectboxColumn("Role", options=list(CHOICES), required=True),
            "sensitive": st.column_config.CheckboxColumn(
                "Sensitive attribute", help="Groups are compared by it. It reaches a model only if its role makes it an input."
            ),
            "modality": st.column_config.TextColumn("Modality", help="Columns with the same name form one modality."),
            "examples": st.column_config.TextColumn("Examples"),
            "why": st.column_config.TextColumn("Why", width="large"),
        },
        alt="Role of each column of the table",
    )
    try:
        roles = _complete(draft, table, edited, base["roles"])
        made = [*(f"{parse_bins(text)[0]}{BAND}" for text in roles.bins), *(crossed_name(text, ()) for text in roles.cross)]
        validate(roles, [*table.columns, *made])
    except UserError as error:
        st.error(md(on_page(str(error))), icon=":material/error:")
        return None
    if draft.state.get("roles") != roles.to_dict():
        draft.remember(roles=roles.to_dict())
    _preview(prepared_for(table, roles, source), roles, source)
    return roles


def _complete(draft: Draft, table: pd.DataFrame, edited: pd.DataFrame, guessed: Roles | None) -> Roles:
    labels = list(edited.loc[edited["role"] == LABEL, "column"])
    meaning = LabelChoice()
    if len(labels) == 1:
        label = labels[0]
        usual = guessed.positive if guessed is not None and guessed.label == label and guessed.positive else None
        meaning = label_editor(table[label], f"Which value of {md(label)} is the outcome (positive)?", f"positive-{draft.token}-{label}", usual, always=True)
        if meaning.unclear:
            raise UserError(f"choose what counts as the outcome in {label}: its values do not say it")
    roles = roles_from(edited, meaning.positive or "", guessed.titles if guessed else None)
    roles = replace(roles, uncertain=meaning.uncertain, blank=meaning.blank, classes=meaning.classes)
    return _division(draft, table, _groups(draft, table, roles, guessed), guessed)


def _division(draft: Draft, table: pd.DataFrame, roles: Roles, guessed: Roles | None) -> Roles:
    """The roles with folds of cross-validation and the column whose rows stay together, where they are chosen."""
    own = [
        c for c in table.columns if c not in (roles.split, roles.label) and len(folds(table[c].dropna().unique()) or ()) >= FEWEST and table[c].notna().all()
    ]
    few = [c for c in table.columns if c not in (roles.label, roles.split, roles.patient_id) and FEWEST <= table[c].nunique() <= 0.5 * len(table)]
    with st.expander("Splits and folds", icon=":material/call_split:"):
        said = (
            f"The column {roles.split} divides the table; its test set is kept as it is."
            if roles.split
            else "Patients are divided 60 : 20 : 20, with labels and groups in proportion."
        )
        st.caption(md(said))
        choices = ["none", *(f"made here: {k}" for k in FOLDS), *(f"of the column {c}" for c in own)]
        usual = f"of the column {guessed.fold}" if guessed and guessed.fold else f"made here: {guessed.folds}" if guessed and guessed.folds else "none"
        how = st.selectbox(
            "Folds for cross-validation", choices, index=choices.index(usual) if usual in choices else 0, key=f"folds-{draft.token}", width=320,
            help="For small cohorts: every patient is judged once, by a network that was not trained on them. A test set of the table stays locked.",
        )  # fmt: skip
        sites = ["none", *few]
        site = st.selectbox(
            "Keep rows together by", sites, index=sites.index(guessed.site) if guessed and guessed.site in sites else 0, key=f"site-{draft.token}", width=320,
            help="Besides the patient: a hospital or scanner whose rows must lie in one split, so that results hold for new ones.",
        )  # fmt: skip
    weights = _weights(draft, table, roles, guessed)
    fold = how.removeprefix("of the column ") if how.startswith("of the column ") else None
    made = int(how.rsplit(" ", 1)[1]) if how.startswith("made here") else 0
    return replace(roles, folds=made, fold=fold, site=None if site == "none" else site, weights=weights)


def _weights(draft: Draft, table: pd.DataFrame, roles: Roles, guessed: Roles | None) -> str | None:
    """The column of sampling weights, where one is chosen; asked only where some column could be one."""
    numbers = [c for c in table.columns if c not in (roles.label, roles.split, roles.patient_id, roles.sample_id) and to_number(table[c]) is not None]
    if not numbers:
        return None
    usual = guessed.weights if guessed else None
    choices = ["none", *numbers]
    chosen = st.selectbox(
        "Sampling weights", choices, index=choices.index(usual) if usual in choices else 0, key=f"weights-{draft.token}", width=320,
        help="A column that says how many patients a row stands for. Results are judged by it; training does not use it.",
    )  # fmt: skip
    return None if chosen == "none" else chosen


def _groups(draft: Draft, table: pd.DataFrame, roles: Roles, guessed: Roles | None) -> Roles:
    """The roles with groups put together and numbers cut into bands as is chosen; bands stand in a column of their own."""
    merges, bins, attributes = [], [], []
    known = {} if guessed is None else dict(parse_bins(text) for text in guessed.bins)
    for attribute in roles.attributes:
        if is_banded(table[attribute]):
            edges = band_editor(table[attribute], attribute, draft.token, known.get(attribute, ()))
            bins.append(f"{attribute}={','.join(f'{edge:g}' for edge in edges)}")
            attributes.append(f"{attribute}{BAND}")
        else:
            merges += merge_boxes(table[attribute], attribute, draft.token, guessed.merge if guessed else ())
            attributes.append(attribute)
    pairs = {crossed_name(f"{a},{b}", ()): f"{a},{b}" for a, b in combinations(attributes, 2) if not set(a + b) & {","}}
    before = [crossed_name(text, ()) for text in guessed.cross] if guessed else []
    crossed = st.multiselect(
        "Compare combinations as well", list(pairs), default=[p for p in before if p in pairs], key=f"cross-{draft.token}", select_all=False,
        help="Each combination becomes one more attribute, whose groups are the intersections, such as women above 65.",
    ) if pairs else []  # fmt: skip
    return replace(roles, attributes=(*attributes, *crossed), merge=tuple(merges), bins=tuple(bins), cross=tuple(pairs[p] for p in crossed))


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


def _checks(draft: Draft, table: pd.DataFrame, roles: Roles, source: ImageSource, choices: ReadChoices) -> str | None:
    """What is wrong, with remedies; then saving, with progress."""
    try:
        findings = [*choices.table.findings, *check(prepared_for(table, roles, source), roles)]
    except UserError as error:
        st.error(md(on_page(str(error))), icon=":material/error:")
        return None
    show_findings(findings, "Nothing wrong found in the table", key="draft-findings")
    st.caption("Files are looked at when the cohort is saved. Rows whose files cannot be read safely are set aside and listed, never trained on.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the cohort", value=draft.state.get("name") or "cohort", key=f"name-{draft.token}", width=320)
        pressed = st.button("Save cohort", type="primary", icon=":material/save:", key="save-cohort", disabled=not name.strip())
    if st.session_state.pop("_saving_cancelled", False):
        st.info("Saving was cancelled; no cohort was saved. Saving again goes on where it stopped.", icon=":material/info:")
    if not pressed:
        return None
    place = st.status("Saving the cohort", expanded=False)
    # Pressing it runs the page again, which ends this run at its next word of progress.
    st.button("Cancel", icon=":material/close:", key="cancel-saving", on_click=_cancelled)
    try:
        cohort = ingest(
            state.workspace(),
            draft.table or "",
            images=source,
            roles=roles,
            name=name.strip(),
            progress=lambda message: _say(place, message),
            sheet=choices.sheet,
            encoding=choices.encoding,
            join=choices.join,
        )
    except UserError as error:
        place.update(label="The cohort was not saved", state="error")
        st.error(md(on_page(str(error))), icon=":material/error:")
        return None
    place.update(label=f"Saved: {plural(cohort.n, 'sample')} of {plural(cohort.n_patients, 'patient')}", state="complete")
    draft.remember(saved=cohort.cohort_id)
    return cohort.cohort_id


def _cancelled() -> None:
    st.session_state["_saving_cancelled"] = True


def _say(place: Any, message: str) -> None:
    place.update(label=message[:1].upper() + message[1:])
