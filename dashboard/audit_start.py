"""What the Audit page shows before a file is there: which columns it takes, an example, a template, earlier audits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.api.saved_audits import SavedAudit, adopt
from core.cohort.sample import sample_folder
from core.errors import UserError
from dashboard import address, state
from dashboard.draft import Draft
from dashboard.escape import md
from dashboard.trash import delete_button

EXAMPLE = "predictions.csv"
COLUMNS = pd.DataFrame(
    [
        ("True label", "yes", "two values, such as 0 and 1, or benign and malignant", "malignant"),
        ("Score", "yes", "a number, higher means more likely positive; one column for each model", "erm, multifair_plus"),
        ("Sensitive attributes", "yes", "one column each, in words (female, male) or numbers (age)", "sex, skin_type, age_band"),
        ("Patient id", "if patients have several rows", "rows of one patient are not independent", "patient_id"),
        ("Sample id", "with a model column", "aligns the models, one row per sample and model", "sample_id"),
        ("Split", "no", "train, validation, test: the test rows are audited", "—"),
        ("Predicted label, sampling weights", "no", "used instead of a threshold; for the rates", "—"),
    ],
    columns=["Column", "Needed", "What it holds", "In the example"],
)
TEMPLATE = (
    "sample_id,patient_id,label,score,sex,age\nsample-1,patient-1,1,0.83,female,64\nsample-2,patient-1,0,0.12,female,64\nsample-3,patient-2,0,0.40,male,37\n"
)


def audit_start(earlier: list[SavedAudit]) -> None:
    """Draw it; the example is opened as if it had been uploaded."""
    with st.container(key="audit-start"):
        st.markdown("## What the file holds")
        # A table of text wraps; a grid of cells would cut what the columns hold on a narrow screen.
        st.table(COLUMNS.set_index("Column"), alt="Columns of a file of predictions")
        st.caption("The names of the columns are yours: the next step asks which is which. One row per sample, CSV or Parquet.")
        with st.container(horizontal=True):
            file = _example()
            if file is not None and st.button(
                "Try the example",
                icon=":material/science:",
                key="audit-example",
                help="149 photographs of skin lesions from the sample cohort's test split, with the scores of two methods.",
            ):
                _open(file)
            if file is not None:
                st.download_button("Example file", file.read_bytes, EXAMPLE, "text/csv", icon=":material/download:", on_click="ignore", key="get-example")
            st.download_button(
                "Template", TEMPLATE.encode, "predictions-template.csv", "text/csv", icon=":material/download:", on_click="ignore", key="get-template"
            )
        _of_a_colleague()
    if earlier:
        _earlier(earlier)


def _of_a_colleague() -> None:
    """An audit that was made elsewhere is opened from its JSON."""
    with st.expander("Open an audit that was made elsewhere", icon=":material/folder_open:"):
        st.caption("Its JSON: what multifair audit --json printed, or the JSON of a report. It is read as data; nothing in it is run.")
        file = st.file_uploader("Audit (JSON)", type="json", key="audit-json-upload")
        if file is None:
            return
        try:
            made = adopt(state.workspace(), file.getvalue(), file.name)
        except UserError as error:
            st.error(md(str(error)))
            return
    address.name_in_link(audit=made.audit_id)
    st.rerun()


def _example() -> Path | None:
    try:
        file = sample_folder().parent / EXAMPLE
    except UserError:
        return None
    return file if file.is_file() else None


def _open(file: Path) -> None:
    draft = Draft.new(state.workspace())
    with file.open("rb") as stream:
        draft.keep_table(stream)  # type: ignore[arg-type]
    address.name_in_link(file=draft.token)
    st.rerun()


def _earlier(audits: list[SavedAudit]) -> None:
    st.markdown("## Earlier audits")
    for audit in audits:
        about = audit.about
        names = about["mapping"].get("attributes")
        by = f" · by {md(', '.join(map(str, names)))}" if isinstance(names, list) and names else ""
        with st.container(horizontal=True, vertical_alignment="center", key=f"earlier-{audit.audit_id}"):
            st.markdown(f"**{md(about['name'])}** · {md(about['created'].replace('T', ' ')[:16])}{by}", width="stretch")
            if st.button("Open", key=f"open-{audit.audit_id}", type="tertiary", icon=":material/open_in_new:"):
                address.name_in_link(audit=audit.audit_id)
                st.rerun()
            delete_button("audit", [audit.audit_id], f"the audit of {about['name']}", "With its copy of the file.")
