"""What is planted is found again by the telemetry, and what is not planted is not.

Every statement is one that a reader of the Modalities and Gradients pages would make, held
against truth.json of the cohort. Trainings are plain (erm), on the study's network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest
import torch

from core.cohort.scenarios import Scenario, named_scenario
from core.study import planted
from core.training.presets import make_spec
from core.training.train import train
from core.workspace import Workspace
from tests.training.synthetic import ListSink

SPLIT = {"train": 600, "validation": 800, "test": 40}
# The null scenario with the default's unequal groups: what a small group's noise does must not count as planted.
NULL = replace(named_scenario("null"), name="null-unequal", shares=(0.8, 0.2))


@dataclass(frozen=True)
class Reading:
    """Telemetry of one training (rows with their epoch) and what was planted."""

    truth: dict[str, Any]
    rows: pd.DataFrame

    def of(self, name: str, stat: str = "mean") -> pd.DataFrame:
        return self.rows[(self.rows["name"] == name) & (self.rows["stat"] == stat)]

    def phi(self, group: str | None, epoch: int | None = None) -> pd.Series:
        """Contribution by modality: of one epoch, or the mean over all."""
        phi = self.of("contribution.phi")
        phi = phi[phi["group"].isna() if group is None else phi["group"] == group]
        if epoch is not None:
            phi = phi[phi["epoch"] == epoch]
        return phi.groupby("modality")["value"].mean()

    def between_groups(self, stat: str = "mean") -> float:
        return float(self.of("conflict.groups", stat)["value"].mean())


def reading(workspace: Workspace, scenario: str | Scenario, draw: int = planted.SEED, seed: int = 1) -> Reading:
    torch.set_num_threads(1)
    cohort = planted.planted_cohort(workspace, scenario, draw)
    truth = planted.planted_truth(workspace, scenario if isinstance(scenario, str) else scenario.name, draw)
    settings = {**planted.BASE, "telemetry.enabled": True, "telemetry.bootstrap": 100}
    sink = ListSink()
    train(cohort, make_spec("erm", "quick", truth["attribute"], seed, settings), sink, device="cpu")
    return Reading(truth, pd.concat([pd.DataFrame(e["rows"]).assign(epoch=e["epoch"]) for e in sink.of("telemetry")]))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.setattr(planted, "SPLIT", SPLIT)
    yield Workspace.open(tmp_path_factory.mktemp("recovery"))
    patch.undo()


@pytest.fixture(scope="module")
def default(workspace: Workspace) -> Reading:
    return reading(workspace, "default")


@pytest.fixture(scope="module")
def null(workspace: Workspace) -> Reading:
    return reading(workspace, NULL)


def assert_dominant_is_named(found: Reading) -> None:
    """After the first epoch, when the easy modality has been learned and the hard one has not, their intervals lie apart."""
    phi = found.of("contribution.phi")
    phi = phi[phi["group"].isna() & (phi["epoch"] == 0)].set_index("modality")
    assert phi["value"].idxmax() == found.truth["dominant"]
    assert phi["low"][found.truth["dominant"]] > phi["high"][found.truth["neglected"]]


def assert_each_groups_modality_is_named(found: Reading) -> None:
    for group, modality in found.truth["serves_best"].items():
        phi = found.phi(group)
        assert phi.idxmax() == modality, (group, phi.to_dict())
        assert phi[modality] - phi.drop(modality).max() > 0.03


def assert_table_follows_what_the_signals_allow(found: Reading) -> None:
    """Cells of the modality-by-group table are ordered within a modality as the best possible AUCs are, where those differ clearly."""
    best = found.truth["best_auc"]["modalities"]
    groups = list(found.truth["serves_best"])
    table = {g: found.phi(g) for g in groups}
    compared = 0
    for modality in (found.truth["dominant"], found.truth["neglected"]):
        allowed = best[modality]["by_group"]
        for a in groups:
            for b in groups:
                if allowed[a] - allowed[b] > 0.1:
                    compared += 1
                    assert table[a][modality] - table[b][modality] > 0.05, (modality, a, b)
    assert compared > 0


def test_contribution_names_the_dominant_modality(default: Reading) -> None:
    assert_dominant_is_named(default)


def test_contribution_names_the_modality_that_serves_each_group(default: Reading) -> None:
    assert set(default.truth["serves_best"].values()) == {default.truth["dominant"], default.truth["neglected"]}, "the two groups differ"
    assert_each_groups_modality_is_named(default)


def test_group_by_modality_table_shows_the_planted_pattern(default: Reading) -> None:
    assert_table_follows_what_the_signals_allow(default)
    minority = default.truth["scenario"]["groups"][1]
    alone = default.of("unimodal.auc")
    alone = alone[(alone["epoch"] == alone["epoch"].max()) & (alone["group"] == minority)].set_index("modality")
    dominant, neglected = default.truth["dominant"], default.truth["neglected"]
    assert alone["low"][dominant] < 0.5 < alone["high"][dominant], "says nothing about the minority"
    assert alone["low"][neglected] > 0.7


def test_nothing_is_found_where_nothing_is_planted(null: Reading) -> None:
    assert null.truth["dominant"] is None and null.truth["serves_best"] is None
    first, second = (null.phi(g) for g in null.truth["scenario"]["groups"])
    assert (first - second).abs().max() < 0.12
    # The last layers have different inputs, so without a reason their gradients are as often with as against each other.
    fused = null.of("conflict.fused")
    assert fused.groupby("modality")["value"].mean().abs().max() < 0.15


def test_groups_pull_apart_only_where_that_is_planted(default: Reading, null: Reading) -> None:
    """The gradient that the minority asks for opposes the majority's as often as not where the dominant modality is
    useless to it, and mostly agrees where the groups need the same."""
    assert null.between_groups() > 0.08 and null.between_groups("share_negative") < 0.42
    assert default.between_groups() < 0.04 and default.between_groups("share_negative") > 0.45


@pytest.mark.slow
@pytest.mark.parametrize("draw", [22, 33, 44])
def test_other_patients_show_the_same(workspace: Workspace, draw: int) -> None:
    found, nothing = reading(workspace, "default", draw), reading(workspace, NULL, draw)
    assert_dominant_is_named(found)
    assert_each_groups_modality_is_named(found)
    assert_table_follows_what_the_signals_allow(found)
    assert nothing.between_groups() - found.between_groups() > 0.15


@pytest.mark.slow
def test_three_groups_with_a_half_served_one(workspace: Workspace) -> None:
    found = reading(workspace, "three-groups")
    assert set(found.truth["serves_best"].values()) == {found.truth["dominant"], found.truth["neglected"]}
    # Overall the two are level here: the dominant one serves three in five.
    assert_each_groups_modality_is_named(found)
    assert_table_follows_what_the_signals_allow(found)
