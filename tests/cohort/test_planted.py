"""The planted cohort: what was designed is what can be measured."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import norm

from core.cohort import ingest, oracle
from core.cohort.oracle import best
from core.cohort.planted import render, simulate
from core.cohort.scenarios import SCENARIOS, Signal, named_scenario, validated
from core.errors import UserError
from core.metrics.auc import auc
from core.workspace import Workspace

DEFAULT = SCENARIOS["default"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("planted") / "default"
    simulate(out, 400, 3)
    return out


def test_the_folder_can_be_ingested_like_any_other(folder: Path, workspace: Workspace):
    cohort = ingest(workspace, folder)
    assert cohort.n == cohort.n_patients == 400
    assert cohort.modality_kinds == {"fundus": "image", "oct": "image", "notes": "text", "labs": "tabular"}
    assert cohort.roles.attributes == ("group", "sex")
    assert cohort.groups("group") == ("majority", "minority")
    assert cohort.arrays()["fundus"].shape == (400, 1, 24, 24)
    assert {f.severity for f in cohort.findings} <= {"info", "warning"} and "label-leakage" not in {f.code for f in cohort.findings}
    assert len(cohort.checks) > 10
    assert cohort.array("notes")["ids"].shape[0] == 400


def test_truth_counts_what_is_in_the_table(folder: Path):
    truth = json.loads((folder / "truth.json").read_text())
    table = pd.read_csv(folder / "cohort.csv")
    for group, counts in truth["counts"].items():
        mine = table["group"] == group
        assert counts == {"n": int(mine.sum()), "n_pos": int(table.loc[mine, "label"].sum())}
    assert (truth["dominant"], truth["neglected"]) == ("fundus", "oct")
    assert truth["serves_best"] == {"majority": "fundus", "minority": "oct"}


def test_the_seed_decides_everything(tmp_path: Path, folder: Path):
    simulate(tmp_path / "again", 400, 3)
    simulate(tmp_path / "other", 400, 4)
    table = (folder / "cohort.csv").read_bytes()
    assert (tmp_path / "again" / "cohort.csv").read_bytes() == table != (tmp_path / "other" / "cohort.csv").read_bytes()
    assert (tmp_path / "again" / "oct" / "s000007.png").read_bytes() == (folder / "oct" / "s000007.png").read_bytes()


def test_the_closed_form_agrees_with_the_sample():
    truth = best(DEFAULT, n=40_000)
    group, y, scores = oracle.draw(DEFAULT, 200_000, np.random.default_rng(9))
    for signal in DEFAULT.signals:
        for g, name in enumerate(DEFAULT.groups):
            measured = auc(y[group == g], scores[signal.name][group == g])
            assert measured == pytest.approx(truth["modalities"][signal.name]["by_group"][name], abs=0.012)
    both = math.hypot(*(s.separation[0] for s in DEFAULT.signals if s.style != "words"))
    # The note says less than its hidden score, so the sum lies between with and without it.
    full = math.hypot(*(s.separation[0] for s in DEFAULT.signals))
    low, high = norm.cdf(both / math.sqrt(2)) - 0.002, norm.cdf(full / math.sqrt(2)) + 0.002
    assert low <= truth["all"]["by_group"]["majority"] <= high


def test_more_knowledge_never_ranks_worse():
    truth = best(SCENARIOS["missing"], n=60_000)
    for name in truth["modalities"]:
        for group in SCENARIOS["missing"].groups:
            assert truth["all"]["by_group"][group] >= truth["without"][name]["by_group"][group] - 0.003
            assert truth["all"]["by_group"][group] >= truth["modalities"][name]["by_group"][group] - 0.003
    assert truth["group_blind"]["overall"] <= truth["all"]["overall"] + 0.002


def test_pixels_show_the_hidden_score():
    """A hand-made reader of each style gets close to the bound, so the bound is not out of reach."""
    generator = np.random.default_rng(0)
    n = 4000
    group, y, scores = oracle.draw(DEFAULT, n, generator)
    axis = np.arange(DEFAULT.size) - (DEFAULT.size - 1) / 2
    dy, dx = np.meshgrid(axis, axis, indexing="ij")
    spot = np.exp(-(dy**2 + dx**2) / (2 * (DEFAULT.size / 5) ** 2))
    fundus = render(DEFAULT.signals[0], DEFAULT, scores["fundus"], group, generator).astype(float)
    read = (fundus * (spot - spot.mean())).sum((1, 2))
    majority = group == 0
    assert auc(y[majority], read[majority]) > auc(y[majority], scores["fundus"][majority]) - 0.01
    stripes = render(DEFAULT.signals[1], DEFAULT, scores["oct"], group, generator).astype(float)
    rows = np.abs(np.fft.rfft(stripes.mean(2), axis=1))[:, 3:8]
    energy = (rows**2).sum(1)
    assert auc(y, energy) > auc(y, scores["oct"]) - 0.03
    # No single pixel gives the stripes away, which is what makes them slower to learn.
    weights = np.linalg.lstsq(stripes[:2000].reshape(2000, -1) - 110, y[:2000] - 0.4, rcond=None)[0]
    assert auc(y[2000:], (stripes[2000:].reshape(2000, -1) - 110) @ weights) < 0.6


def test_the_dominant_modality_says_nothing_about_the_minority(folder: Path):
    truth = json.loads((folder / "truth.json").read_text())
    fundus, oct_ = (truth["best_auc"]["modalities"][m]["by_group"] for m in ("fundus", "oct"))
    assert fundus == {"majority": pytest.approx(0.988, abs=0.002), "minority": 0.5}
    assert oct_["minority"] > 0.95 and oct_["majority"] == oct_["minority"]


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_can_be_written_and_ingested(name: str, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(oracle.best, "__kwdefaults__", {"seed": 0, "n": 5000})
    truth = simulate(tmp_path / name, 120, 1, name)
    cohort = ingest(workspace, tmp_path / name)
    assert cohort.groups("group") == tuple(sorted(SCENARIOS[name].groups))
    assert cohort.present.all() == (name != "missing")
    assert (truth["serves_best"] is None) == (name in ("null", "prevalence"))


def test_the_null_scenario_has_no_gap_and_no_conflict():
    truth = best(SCENARIOS["null"], n=100_000)
    groups = truth["all"]["by_group"]
    assert abs(groups["majority"] - groups["minority"]) < 0.006
    assert truth["modalities"]["fundus"]["by_group"] == truth["modalities"]["oct"]["by_group"]


def test_what_does_not_fit_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="choose one of: default"):
        named_scenario("nope")
    with pytest.raises(UserError, match="at least 40"):
        simulate(tmp_path / "a", 5)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(UserError, match="not an empty folder"):
        simulate(tmp_path / "full", 100)
    with pytest.raises(UserError, match="separation of fundus: 1 values for 2 groups"):
        simulate(tmp_path / "b", 100, 0, replace(DEFAULT, signals=(Signal("fundus", "disc", (1.0,)),)))
    with pytest.raises(UserError, match="sum to 1"):
        simulate(tmp_path / "c", 100, 0, replace(DEFAULT, shares=(0.5, 0.6)))


def test_a_weakened_scenario_lies_between_itself_and_equal_groups():
    half, none = named_scenario("default@0.5"), named_scenario("default@0")
    # Shares .8 and .2: the mean separation of the dominant modality is .8 * 3.2.
    assert none.signals[0].separation == pytest.approx((2.56, 2.56))
    assert half.signals[0].separation == pytest.approx(((3.2 + 2.56) / 2, 2.56 / 2))
    assert half.signals[1].separation == pytest.approx((2.4, 2.4)) and half.shares == DEFAULT.shares
    assert named_scenario("label-noise@0.5").label_noise == pytest.approx(((0.02 + 0.056) / 2, (0.2 + 0.056) / 2))
    assert named_scenario("default@1").signals == DEFAULT.signals
    for wrong in ("default@2", "default@x", "default@-1"):
        with pytest.raises(UserError, match="number from 0 to 1"):
            named_scenario(wrong)


def test_label_noise_turns_the_stated_share_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(oracle.best, "__kwdefaults__", {"seed": 0, "n": 5000})
    design = SCENARIOS["label-noise"]
    tables = []
    for name, chosen in (("noisy", design), ("clean", replace(design, label_noise=()))):
        chosen = replace(chosen, signals=(Signal("labs", "value", (2.0, 2.0)), *design.signals[:1]), size=8)
        simulate(tmp_path / name, 6000, 3, chosen)
        tables.append(pd.read_csv(tmp_path / name / "cohort.csv"))
    turned = tables[0]["label"] != tables[1]["label"]
    share = turned.groupby(tables[1]["group"]).mean()
    assert share["majority"] == pytest.approx(0.02, abs=0.006) and share["minority"] == pytest.approx(0.2, abs=0.035)


def test_marks_agree_with_the_label_as_stated_and_are_in_the_images_and_in_the_best_scores(tmp_path: Path):
    design = replace(named_scenario("acquisition-cue"), noise=0.0)
    simulate(tmp_path / "marked", 1500, 5, design)
    table = pd.read_csv(tmp_path / "marked" / "cohort.csv")
    corner = np.array([np.asarray(Image.open(tmp_path / "marked" / path))[3:6, 3:6].mean() for path in table["fundus_path"]])
    beside = np.array([np.asarray(Image.open(tmp_path / "marked" / path))[3:6, 8:11].mean() for path in table["fundus_path"]])
    agrees = (corner > beside + 30) == (table["label"] == 1)
    for group, share in (("majority", 0.9), ("minority", 0.5)):
        inside = (table["group"] == group).to_numpy()
        assert agrees[inside].mean() == pytest.approx(share, abs=4 * (share * (1 - share) / inside.sum()) ** 0.5)
    best = oracle.best(design)["modalities"]["fundus"]["by_group"]
    # By hand: a normal score of separation 1.6, and a mark that moves its log likelihood ratio by log 9.
    shift = np.log(9) / 1.6
    # Of a pair both marks agree with the label, one does, or none.
    expected = 0.9 * 0.9 * norm.cdf((1.6 + 2 * shift) / 2**0.5) + 2 * 0.9 * 0.1 * norm.cdf(1.6 / 2**0.5) + 0.1 * 0.1 * norm.cdf((1.6 - 2 * shift) / 2**0.5)
    assert best["majority"] == pytest.approx(expected, abs=0.004)
    assert best["minority"] == pytest.approx(norm.cdf(1.6 / 2**0.5), abs=0.006)
    assert named_scenario("acquisition-cue@0").signals[0].mark == pytest.approx((0.82, 0.82))


def test_a_mark_that_is_no_share_is_refused():
    design = named_scenario("acquisition-cue")
    with pytest.raises(UserError, match="mark of fundus"):
        validated(replace(design, signals=(replace(design.signals[0], mark=(0.9, 1.0)), *design.signals[1:])))
