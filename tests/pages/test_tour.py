"""The tour's five steps are true of the sample as it ships: each quote is held against the shipped results."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from core.audit.wording import decimal, percent
from core.cohort.sample import ingest_sample
from core.results import cohort_claims, group_tables
from core.results.predictions import group_names
from core.runs.sample_runs import add_shipped_runs
from core.store import Store
from core.workspace import Workspace
from dashboard.run_selection import chosen_runs, finished_runs, usual_attribute, usual_runs
from dashboard.selection_bar import View
from dashboard.tour import STEPS

PAGES = ("cohort", "modalities", "groups", "gradients", "compare")


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """The sample as a new user opens it."""
    workspace = Workspace.open(tmp_path_factory.mktemp("sample") / "workspace")
    ingest_sample(workspace, progress=lambda message: None)
    add_shipped_runs(workspace)
    with Store.open(workspace) as store:
        cohort = store.cohorts().iloc[-1]
        cohort_id = str(cohort["cohort_id"])
        attribute = usual_attribute(store, cohort_id, ["sex", "age_band", "fitzpatrick"])
        chosen = chosen_runs(store, cohort_id, usual_runs(store, cohort_id, attribute))
        groups = tuple(group_names(store, cohort_id, attribute))
        yield View(store, cohort_id, str(cohort["name"]), tuple(cohort["modalities"]), attribute, groups, chosen, finished_runs(store, cohort_id))


def _quote(view: View, page: str) -> str:
    return next(step for step in STEPS if step.page == page).sentence(view)


def test_every_step_has_a_quote_and_no_verdict_of_its_own(view: View) -> None:
    assert tuple(step.page for step in STEPS) == PAGES
    for step in STEPS:
        assert step.sentence(view).endswith(".")
        assert not re.search(r"\d|disparity|this model|these patients", step.text), "what is said of a cohort is said by the quote"


def test_who_the_patients_are(view: View) -> None:
    assert _quote(view, "cohort") == f"{view.cohort_name}: image, clinical; groups by sex."


def test_the_modality_that_leads_is_that_of_the_last_epoch(view: View) -> None:
    rows = view.store.telemetry(view.run_ids, ["contribution.ratio"])
    rows = rows[rows["group"].isna()]
    first = next(run for run in view.run_ids if f"{view.names[run]} leans on" in _quote(view, "modalities"))
    last = rows[(rows["run_id"] == first) & (rows["epoch"] == rows.loc[rows["run_id"] == first, "epoch"].max())]
    top = last.loc[last["value"].idxmax()]
    assert f"leans on {top['modality']}: {decimal(top['value'])} [" in _quote(view, "modalities")
    assert top["value"] > 1 / len(view.modalities), "it leads"


def test_the_verdict_on_groups_is_that_of_the_claims(view: View) -> None:
    quote = _quote(view, "groups")
    claims = cohort_claims.of_runs(view.store, view.cohort_id, view.run_ids, str(view.attribute))
    assert set(claims["verdict"]) == {"not enough data"}, "the sample shows no disparity by sex, and the tour may not say otherwise"
    assert "no difference is shown" in quote and "not ruled out" in quote
    performance = group_tables.group_performance(view.store, view.run_ids, str(view.attribute))
    assert set(performance["group"].dropna()) == set(view.groups)


def test_whether_gradients_conflict_is_what_was_measured_over_all_seeds(view: View) -> None:
    """Of seed 1 it said that no modality is against the others; over its three seeds one is, as the Gradients page says."""
    labels = set(view.runs["label"])
    every = view.finished[view.finished["label"].isin(labels) & (view.finished["attribute"] == view.attribute)]
    rows = view.store.telemetry(list(every["run_id"]), ["conflict.fused"]).query("stat == 'share_negative' and epoch >= 0")
    rows = rows.merge(every[["run_id", "label"]], on="run_id")
    most = rows.groupby(["label", "modality"])["value"].mean().max()
    quote = _quote(view, "gradients")
    assert percent(most) in quote
    assert quote.startswith("No modality works against") == (most <= 0.5)


def test_the_methods_are_those_of_compare(view: View) -> None:
    """It counted the three runs that pages open with, where Compare has five methods."""
    quote = _quote(view, "compare")
    own = view.finished[view.finished["attribute"] == view.attribute]
    assert quote.startswith(f"{own['label'].nunique()} methods to compare here, 3 seeds each: ")
    assert all(str(label) in quote for label in own["label"].unique())
