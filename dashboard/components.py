"""What all pages are built of. Text that may come from a user is escaped here."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from core.charts.glossary import explain
from core.charts.text import listing, plural
from dashboard import address
from dashboard.chart_block import chart_block
from dashboard.escape import md
from dashboard.navigation import go_to
from dashboard.selection_bar import View, context_bar
from dashboard.style import STYLE
from dashboard.theme_switch import theme_switch
from dashboard.verdicts import TAGS, Verdict

__all__ = [
    "View", "answer", "chart_block", "context_bar", "empty_state", "error_state", "finding_tag", "frame", "how_to_read",
    "md", "no_cohort", "no_runs", "other_attribute_note", "page_title", "runs_page", "section", "too_little_data",
]  # fmt: skip


def frame() -> None:
    """What surrounds every page: style sheet and history (static, they hold no user text), and the name."""
    st.html(f"<style>{STYLE}</style>{address.HISTORY}", unsafe_allow_javascript=True)
    address.read()
    with st.sidebar.container(key="brand"):
        st.markdown("**MultiFair**  \nNothing leaves this machine.")
        theme_switch()


def page_title(question: str) -> None:
    """The question that the page answers."""
    st.title(question, anchor=False)


def runs_page(question: str) -> View:
    """Title and context bar of a page about finished runs. Without any the page ends with what to do about it."""
    page_title(question)
    view = context_bar()
    if view is None:
        no_cohort()
        st.stop()
    if not view.run_ids:
        no_runs(view)
        st.stop()
    return view


def answer(sentence: str, verdict: Verdict | None = None, detail: str = "", terms: Iterable[str] = ()) -> None:
    """The page's one-sentence answer, before any chart. Plain text: it may name groups."""
    with st.container(key="answer", gap="small"):
        if verdict:
            finding_tag(verdict)
        st.markdown(md(sentence), help=explain(terms) or None)
        if detail:
            st.caption(md(detail))


def other_attribute_note(view: View, what: str) -> None:
    """Says of whose groups `what` is, when chosen runs were trained for another attribute."""
    # The place stays when there is nothing to say: what follows would otherwise move by one, and what
    # has moved is new to Streamlit, which builds its fragments and their charts again.
    place = st.empty()
    if view.attribute is None or not view.trained_for_another:
        return
    told = {
        str(a): list(part["name"])
        for a, part in view.runs[view.runs["name"].isin(view.trained_for_another)].groupby(view.runs["attribute"].fillna("no attribute"), sort=False)
    }
    who = listing([f"{listing(names)} for {attribute}" for attribute, names in told.items()])
    place.caption(md(f"Trained for another attribute than {view.attribute}: {who}. {what}"))


def finding_tag(verdict: Verdict, help_text: str | None = None) -> None:
    """Orange disparity, blue none found, grey not enough data: a word and an icon each."""
    words, color, icon = TAGS[verdict]
    st.badge(words, color=color, icon=icon, help=help_text)


def section(title: str, help_terms: Iterable[str] = ()) -> None:
    """A heading between charts."""
    st.markdown(f"## {md(title)}", help=explain(help_terms) or None)


@st.fragment
def how_to_read(text: str, terms: Iterable[str] = ()) -> None:
    """The folded explanation, sent when it is opened. `text` is our own Markdown, never a user's."""
    with st.expander("How to read this", icon=":material/menu_book:", on_change="rerun", key="how-to-read") as place:
        if place.open:
            st.markdown(text)
            explained = explain(terms)
            if explained:
                st.markdown(explained)


def empty_state(title: str, text: str, page: str | None = None, label: str = "", key: str = "empty") -> None:
    """Nothing to show: why, and the button that changes it."""
    with st.container(key=f"state-{key}", border=True, horizontal_alignment="center", gap="small"):
        st.markdown(f"## {md(title)}", text_alignment="center")
        st.markdown(md(text), text_alignment="center")
        if page and st.button(label, type="primary", key=f"go-{key}"):
            go_to(page)


def error_state(title: str, reason: str, key: str = "error") -> None:
    """Something that the user can mend; `reason` says how."""
    with st.container(key=f"state-{key}"):
        st.error(f"**{md(title)}**  \n{md(reason)}", icon=":material/error:")


def too_little_data(what: str, reason: str, key: str = "little") -> None:
    """A statistic that this data cannot give: said where the chart would be, in grey."""
    with st.container(key=f"state-{key}"):
        finding_tag("not enough data")
        st.markdown(f"**{md(what)}**  \n{md(reason)}")


def no_cohort(key: str = "no-cohort") -> None:
    """The empty state of a page before there is any cohort."""
    empty_state("No cohort yet", "Open the sample cohort of skin lesions, or bring your own table and images.", "cohort", "Go to Cohort", key)


def no_runs(view: View, key: str = "no-runs") -> None:
    """The empty state of an analysis page of a cohort without finished runs."""
    failed = len(view.store.runs(view.cohort_id, status="failed"))
    if len(view.finished):
        text = "No run is chosen above."
    elif failed:
        text = f"Nothing is finished on {view.cohort_name}: {plural(failed, 'run')} failed. The reason and a button that tries again are under Train."
    else:
        text = f"Nothing has been trained on {view.cohort_name} yet. Three quick methods take a few minutes."
    empty_state("No finished runs to look at", text, "train", "Go to Train", key)
