"""From an uploaded file of predictions to an audit: columns, choices, start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from core.api.class_audits import CAVEAT, class_mappings, matched_scores
from core.api.saved_audits import SavedAudit, find
from core.audit import AuditOptions, Mapping, Target
from core.audit.input.guess_columns import guess_columns
from core.charts.text import percent, plural, sentence
from core.errors import UserError, known_as
from core.tables.labels import distinct
from dashboard import audit_job, state
from dashboard.draft import Draft
from dashboard.escape import md
from dashboard.further_table import bring_further, joined_for_audit
from dashboard.group_editor import band_editor, is_banded, merge_boxes
from dashboard.label_editor import LabelChoice, label_editor
from dashboard.page_advice import on_page
from dashboard.table_reading import choose_and_read
from dashboard.train_form import duration
from dashboard.uploads import free

HEAD_ROWS = 5000
LOOK_SECONDS = 0.5
MISSING: dict[Literal["group", "exclude"], str] = {"exclude": "left out (and counted)", "group": "a group of their own"}
POINTS = {
    "a threshold": None,
    "a sensitivity of": "sensitivity",
    "a specificity of": "specificity",
    "a share selected of": "selection_rate",
    "Youden's best": "youden",
}


def audit_form() -> SavedAudit | None:
    """Draw the form; returns the audit made in this run of the page."""
    draft = Draft.open(state.workspace(), st.query_params.get("file"))
    turn = st.session_state.setdefault("_audit_turn", 0)
    with st.container(border=True, key="audit-file"):
        st.markdown("## 1 · Predictions")
        upload = st.file_uploader(
            "A table with one row per sample: the true label, a score, and the sensitive attributes", key=f"predictions-{turn}",
            help="No model and no images are needed. Several models: several score columns, or a column with the model's name.",
        )  # fmt: skip
        problem = st.session_state.pop("_audit_problem", None)
        if problem:
            st.error(md(on_page(str(problem), audit=True)), icon=":material/error:")
        if upload is not None:
            _keep(draft, upload)
        if draft is not None and draft.table is not None:
            st.markdown(f":material/table: **{md(draft.state['table_name'])}**")
            bring_further(draft, "Attributes in another file")
    if draft is None or draft.table is None:
        return None
    job = audit_job.look(draft.folder)
    if job is not None and job.state == "done":
        return find(state.workspace(), job.audit_id)
    if job is not None and job.state == "running":
        _running(draft)
        return None
    try:
        choices = choose_and_read(draft.table, draft.token)
        table, metadata = joined_for_audit(draft, choices.table)
    except UserError as error:
        st.error(md(on_page(str(known_as(error, draft.table, str(draft.state["table_name"]))), audit=True)), icon=":material/error:")
        return None
    with st.container(border=True, key="audit-columns"):
        st.markdown("## 2 · Columns")
        head = table.frame
        chosen = _columns(draft, head) | {"sheet": choices.sheet, "encoding": choices.encoding}
        chosen["merge"], bands = _groups(draft, head, chosen["attributes"])
        with st.expander("First rows", icon=":material/preview:"):
            st.dataframe(head.head(5), hide_index=True, width="stretch", alt="First rows of the file")
    with st.container(border=True, key="audit-choices"):
        st.markdown("## 3 · Choices")
        if job is not None and job.error:
            st.error(md(on_page(job.error, audit=True)), icon=":material/error:")
        try:
            options = replace(_options(), bands=_edges(bands))
            mappings = _mappings(chosen, head)
        except UserError as error:
            st.error(md(on_page(str(error), audit=True)), icon=":material/error:")
            return None
        if st.button("Audit", type="primary", icon=":material/fact_check:", key="start-audit"):
            needed = metadata if any(c not in choices.table.names for m in mappings.values() for c in m.columns) else None
            work = (state.workspace(), draft.folder, draft.table, str(draft.state["table_name"]), mappings, options, needed)
            if audit_job.is_short(len(head), next(iter(mappings.values())), options, len(mappings)):
                with st.spinner("Auditing"):
                    audit_job.make_at_once(*work)
            else:
                audit_job.start(*work)
            st.rerun()
    return None


def _running(draft: Draft) -> None:
    """How far the audit is, and the way to end it. It goes on when the tab is closed; the link finds it again."""
    with st.container(border=True, key="audit-running"):
        st.markdown("## 3 · The audit is running")
        st.fragment(_progress, run_every=LOOK_SECONDS, key="audit-progress")(draft)
        if st.button("Cancel", icon=":material/close:", key="cancel-audit"):
            audit_job.cancel(draft.folder)
            st.rerun()
        st.caption("It goes on when you close this tab; the address of this page finds it again.")


def _progress(draft: Draft) -> None:
    job = audit_job.look(draft.folder)
    if job is None or job.state != "running":
        st.rerun(scope="app")
    left = f", about {duration(job.seconds_left)} left" if job.seconds_left is not None else ""
    st.progress(min(1.0, job.share), text=md(f"{percent(job.share)} · {sentence(job.doing)} · {duration(job.seconds)} so far{left}"))


def _keep(draft: Draft | None, upload: Any) -> None:
    try:
        kept = draft or Draft.new(state.workspace())
        audit_job.cancel(kept.folder)
        kept.keep_table(upload)
        st.query_params["file"] = kept.token
    except UserError as error:
        st.session_state["_audit_problem"] = str(error)
    free([upload])
    st.session_state["_audit_turn"] += 1
    st.rerun()


def _key(draft: Draft) -> str:
    """Of the controls: other files have other columns, which are guessed anew."""
    return f"{draft.token}-{Path(draft.table or '').name}-{draft.further.name if draft.further else ''}"


def _columns(draft: Draft, head: pd.DataFrame) -> dict[str, Any]:
    """The mapping, guessed and correctable."""
    guess = guess_columns(head.head(HEAD_ROWS))
    columns = list(map(str, head.columns))
    optional = ["", *columns]
    key = _key(draft)

    def one(label: str, usual: str | None, needed: bool = False, help_text: str | None = None) -> str | None:
        options = columns if needed else optional
        index = options.index(usual) if usual in options else None if needed else 0
        value = st.selectbox(
            label, options, index=index, key=f"map-{label}-{key}", format_func=lambda c: c or "none", help=help_text, placeholder="Choose a column"
        )
        return value or None

    left, right = st.columns(2, gap="large")
    with left:
        label = one("True label", guess.label, needed=True)
        meaning, problem = LabelChoice(), None
        if label is not None:
            try:
                meaning = label_editor(head[label], "Value that means positive", f"map-positive-{key}-{label}", first=False)
            except UserError as error:
                problem = f"{label}: {error}"
        of_class = _class_scores(meaning.classes, columns, key)
        score = [] if meaning.classes else _scores(columns, guess.score, key)
        attributes = st.multiselect("Sensitive attributes", columns, default=list(guess.attributes), key=f"map-attributes-{key}", select_all=False)
    with right:
        identity = one("Sample id", guess.id)
        patient = one("Patient id", guess.patient, help_text="Rows of one patient are not independent: intervals and tests take that into account.")
        with st.expander("Predicted label, model, split, weights"):
            prediction = one("Predicted label", guess.prediction[0] if guess.prediction else None, help_text="Used for the rates instead of a threshold.")
            model = one("Name of the model", guess.model)
            split = one("Split", guess.split, help_text="Test rows are audited; thresholds are chosen on validation rows.")
            weights = one("Sampling weights", None)
    with st.expander("Why these columns", icon=":material/help:"):
        rows = [{"Column": c, "Why": guess.reasons.get(c, "not recognised: not used unless you choose it")} for c in columns]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", alt="What each column was taken for, and why")
    return {
        "label": label, "unclear": meaning.unclear, "positive": meaning.positive, "uncertain": meaning.uncertain, "blank": meaning.blank, "score": tuple(score),
        "classes": meaning.classes, "of_class": of_class, "problem": problem,
        "attributes": tuple(attributes), "id": identity, "patient": patient,
        "prediction": (prediction,) if prediction else (), "model": model, "split": split, "weights": weights,
    }  # fmt: skip


def _scores(columns: list[str], usual: Sequence[str], key: str) -> list[str]:
    return st.multiselect("Score (several columns: several models)", columns, default=list(usual), key=f"map-score-{key}", select_all=False)


def _class_scores(classes: Sequence[str], columns: list[str], key: str) -> dict[str, str | None]:
    """The column of each class's score, where the label's values are told apart."""
    if not classes:
        return {}
    st.caption(f"Each class is audited against all others, by its own score. {CAVEAT.format(n=len(classes))}")
    matched = matched_scores(classes, columns)
    return {
        name: st.selectbox(
            f"Score of {md(name)}", columns, index=columns.index(matched[name]) if name in matched else None, key=f"map-class-{key}-{name}",
            placeholder="Choose a column",
        )
        for name in classes
    }  # fmt: skip


def _groups(draft: Draft, head: pd.DataFrame, attributes: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, tuple[float, ...] | UserError]]:
    """Values put together, and the edges of attributes that are numbers (or what is wrong with them, said beside the button)."""
    key = _key(draft)
    merges: list[str] = []
    bands: dict[str, tuple[float, ...] | UserError] = {}
    for attribute in attributes:
        try:
            if is_banded(head[attribute]):
                bands[attribute] = band_editor(head[attribute], attribute, key)
            else:
                merges += merge_boxes(head[attribute], attribute, key)
        except UserError as error:
            bands[attribute] = error
    return tuple(merges), bands


def _edges(bands: dict[str, tuple[float, ...] | UserError]) -> dict[str, tuple[float, ...]]:
    for edges in bands.values():
        if isinstance(edges, UserError):
            raise edges
    return {name: edges for name, edges in bands.items() if not isinstance(edges, UserError)}


def _mappings(chosen: dict[str, Any], head: pd.DataFrame) -> dict[str, Mapping]:
    """The roles; where classes are told apart, of the audit of each. Raises UserError for what has not been chosen."""
    if chosen["label"] is None:
        raise UserError("choose the column that holds the true label")
    classes, of_class, problem = (chosen.pop(name) for name in ("classes", "of_class", "problem"))
    if problem:
        raise UserError(problem)
    if chosen.pop("unclear"):
        raise UserError("choose the value that means positive: the label's values do not say it")
    if not chosen["attributes"]:
        raise UserError("choose at least one sensitive attribute: groups are compared by it")
    if not classes:
        return {"": Mapping(**chosen)}
    lacking = [name for name, column in of_class.items() if column is None]
    if lacking:
        raise UserError(f"choose the column that holds the score of {lacking[0]}")
    return class_mappings(Mapping(**chosen | {"score": (of_class[classes[0]],)}), classes, distinct(head[chosen["label"]].unique()), of_class)


def _options() -> AuditOptions:
    """The choices of the form; as it opens they are the command's, so that both give the same numbers."""
    usual = AuditOptions()
    left, middle, right = st.columns(3, gap="large")
    with left:
        tolerance = st.number_input(
            "Tolerance",
            0.005,
            0.5,
            usual.tolerance,
            0.005,
            format="%.3f",
            key="audit-tolerance",
            help="The largest difference between groups that you are ready to accept, for every metric. Verdicts are about it.",
        )
        missing = st.selectbox("Missing attribute values", list(MISSING), key="audit-missing", format_func=MISSING.__getitem__)
    with middle:
        point = st.selectbox("Predicted positive at", list(POINTS), key="audit-point")
        kind = POINTS[point]
        value = 0.0
        if kind is None:
            value = st.number_input("Threshold", value=0.5, step=0.05, format="%.3f", key="audit-threshold")
        elif kind != "youden":
            value = st.number_input("Target", 0.01, 0.99, 0.9, 0.01, key=f"audit-target-{kind}")
        each = kind is not None and st.checkbox("A threshold for each group", key="audit-each")
    with right:
        depth = st.number_input(
            "Intersections up to",
            1,
            3,
            usual.intersections,
            key="audit-depth",
            help="1: single attributes. 2: pairs, such as sex and race together. 3: triples.",
        )
        draws = st.select_slider(
            "Bootstrap replicates",
            [0, 200, 500, 1000, 2000],
            usual.bootstrap,
            key="audit-draws",
            format_func=lambda n: "none" if n == 0 else plural(n, "replicate"),
        )
        gap = st.number_input(
            "Plan for a gap of",
            0.01,
            0.5,
            None,
            0.01,
            format="%.3f",
            key="audit-gap",
            placeholder="twice the tolerance",
            help="How many more patients would each group need to show a difference of this size?",
        )
    target = None if kind is None else Target(kind, None if kind == "youden" else float(value))
    return AuditOptions(
        threshold=float(value) if kind is None else None, target=target, per_group_threshold=bool(each), tolerance=float(tolerance),
        bootstrap=int(draws), intersections=int(depth), missing=missing, gap=gap, curves=True,
    )  # fmt: skip
