"""`multifair results methods`: several seeds as one row, paired against a reference."""

from __future__ import annotations

import json
import statistics

import pytest

from core.cli import main
from core.results.compare_runs import overview
from core.store import Store
from tests.factories import FakeWorkspace


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_mean_spread_and_difference_over_seeds(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workspace", str(fake.workspace.root), "--json", "--attribute", "sex"]
    _, out, _ = call(capsys, "results", *words)
    seeds: dict[str, dict[int, float]] = {}
    for run in json.loads(out):
        seeds.setdefault(run["label"], {})[run["seed"]] = run["es_auc"]
    code, out, _ = call(capsys, "results", "methods", *words, "--reference", "erm")
    rows = {row["variant"]: row for row in json.loads(out)}
    assert code == 0 and set(rows) == set(seeds)
    reference = next(name for name in rows if name.startswith("ERM"))
    assert rows[reference]["difference"] is None
    several = 0
    for name, row in rows.items():
        assert row["es_auc"] == pytest.approx(statistics.mean(seeds[name].values()))
        if len(seeds[name]) == 1:
            assert row["es_auc_sd"] is None
        else:
            several += 1
            assert row["es_auc_sd"] == pytest.approx(statistics.stdev(seeds[name].values()))
        common = seeds[name].keys() & seeds[reference].keys()
        if name != reference and common:
            assert row["common_seeds"] == len(common) and row["low"] <= row["difference"] <= row["high"]
            assert row["difference"] == pytest.approx(statistics.mean(seeds[name][s] - seeds[reference][s] for s in common), abs=1e-5)
    assert several > 1
    order = [row["es_auc"] for row in json.loads(out)]
    assert order == sorted(order, reverse=True)


def test_the_means_are_those_of_the_compare_page(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "results", "methods", "--workspace", str(fake.workspace.root), "--json", "--attribute", "sex", "--measure", "max_gap")
    rows = json.loads(out)
    with Store.open(fake.workspace) as store:
        _, methods = overview(store, store.runs(status="done"), "sex", "max_gap")
    shown = methods.set_index("variant")["y"]
    assert {row["variant"]: row["max_gap"] for row in rows} == pytest.approx(shown.to_dict(), abs=1e-5)
    gaps = [row["max_gap"] for row in rows]
    assert gaps == sorted(gaps), "the smallest gap comes first"


def test_an_unknown_reference_names_what_there_is(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "results", "methods", "--workspace", str(fake.workspace.root), "--attribute", "sex", "--reference", "pmr")
    assert code == 2 and "no finished run of 'pmr'" in err and "multifair" in err
