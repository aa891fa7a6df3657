"""Which runs an analysis page opens with, and what it says of runs trained for another attribute."""

from __future__ import annotations

import pandas as pd
import pytest

from core.store import Store
from dashboard.run_selection import DEFAULT_RUNS, default_runs, named
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, open_page, words


def _runs(*rows: tuple[str, int, str | None]) -> pd.DataFrame:
    """Finished runs from (method, seed, attribute)."""
    frame = pd.DataFrame(rows, columns=["method", "seed", "attribute"])
    frame["run_id"] = [f"{m}-s{s}-{a}" for m, s, a in rows]
    return named(frame.assign(label=frame["method"], preset="quick", key=frame["run_id"]))


def test_one_run_per_method_of_one_seed_reference_first() -> None:
    methods = ("ogm-ge", "multifair-released", "group-dro", "multifair-plus", "erm", "multifair", "unimodal")
    finished = _runs(*((m, s, "sex") for m in methods for s in (1, 2)))
    chosen = default_runs(finished, "sex")
    assert chosen[0] == "erm-s1-sex"
    assert {"multifair-s1-sex", "multifair-plus-s1-sex"} < set(chosen)
    assert len(chosen) == DEFAULT_RUNS
    assert all(run.endswith("-s1-sex") for run in chosen)
    assert not any(run.startswith(("unimodal", "multifair-released")) for run in chosen)


def test_the_seed_with_most_methods_is_taken() -> None:
    finished = _runs(("erm", 1, "sex"), ("erm", 3, "sex"), ("multifair", 3, "sex"))
    assert default_runs(finished, "sex") == ["erm-s3-sex", "multifair-s3-sex"]


def test_runs_of_the_chosen_attribute_else_of_the_commonest() -> None:
    finished = _runs(("erm", 1, "sex"), ("erm", 1, "age"), ("multifair", 1, "age"))
    assert default_runs(finished, "sex") == ["erm-s1-sex"]
    assert default_runs(finished, "race") == ["erm-s1-age", "multifair-s1-age"]


def test_unimodal_runs_where_there_is_nothing_else() -> None:
    assert default_runs(_runs(("unimodal", 1, None)), "sex") == ["unimodal-s1-None"]
    assert default_runs(_runs(), "sex") == []


def test_gradients_of_another_attribute_are_named_as_such(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(fake.workspace) as store:
        runs = store.runs(status="done").set_index("run_id")
    run = next(r for r in fake.run_ids if r.startswith("erm-s1-"))
    other = next(a for a in fake.cohort.attributes if a != runs.loc[run, "attribute"])
    said = words(calm(open_page(monkeypatch, fake.workspace.root, "gradients", runs=run, attribute=other)))
    assert f"Trained for another attribute than {other}" in said
    assert f"for {runs.loc[run, 'attribute']}" in said
