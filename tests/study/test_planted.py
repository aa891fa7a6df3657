"""The planted study from end to end on a tiny cohort: tables, resuming, methods that cannot take part."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.errors import UserError
from core.study import comparison, planted
from core.study.comparison import study
from core.study.planted import planted_cohort, planted_plan
from core.study.runner import Runner, entries
from core.workspace import Workspace


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.setattr(planted, "SPLIT", {"train": 96, "validation": 80, "test": 120})
    patch.setattr(planted, "BASE", {**planted.BASE, "epochs": 1})
    patch.setattr("core.study.summary.REPLICATES", 50)
    workspace = Workspace.open(tmp_path_factory.mktemp("study"))
    yield workspace, planted_cohort(workspace)
    patch.undo()


def test_cohort_has_two_images_and_the_stated_splits(small) -> None:
    workspace, cohort = small
    assert len(cohort.modality_names) == 2
    assert {s: len(cohort.rows(s)) for s in ("train", "validation", "test")} == {"train": 96, "validation": 80, "test": 120}
    assert planted_cohort(workspace).cohort_id == cohort.cohort_id


def test_study_writes_tables_and_goes_on_where_it_was(small, tmp_path: Path) -> None:
    workspace, cohort = small
    plan = planted_plan(workspace, ("erm", "multifair-plus", "unimodal"), (1, 2), 1)
    said: list[str] = []
    result = study(cohort, plan, workspace.cache / "study", tmp_path, "study_planted", said.append)
    labels = {"erm", "multifair-plus", *(f"unimodal: {m}" for m in cohort.modality_names)}
    assert set(result.table.label) == labels
    written = pd.read_csv(tmp_path / "study_planted.csv")
    assert set(written.columns) >= {"label", "family", "metric", "mean", "sd", "low", "high", "chosen", "n_seeds"}
    assert (written.n_seeds == 2).all()
    compared = pd.read_csv(tmp_path / "study_planted_differences.csv")
    assert {("multifair-plus", "erm")} <= set(zip(compared.label, compared.reference, strict=True))
    tuning = pd.read_csv(tmp_path / "study_planted_tuning.csv")
    assert set(tuning.label) == labels and tuning.kept.all() and tuning.validation_es_auc.between(0, 1).all(), "a budget of 1 tries the defaults"
    assert tuning.set_index("label").candidate["erm"] == f"lr={plan.base['lr']:g}"
    assert (tmp_path / "study_planted.md").read_text().count("| multifair-plus |") >= 1

    runner = Runner(cohort, plan.attribute, plan.base, workspace.cache / "study")
    row = entries(cohort, ("erm",))[0]
    again = runner.outcome(row, 2, {"lr": plan.base["lr"], "classifier_lr": 2 * plan.base["lr"]})
    assert runner.trained == 0
    assert len(again.score) == cohort.n
    assert Runner(cohort, plan.attribute, plan.base, workspace.cache / "study", fresh=True).outcome(row, 2, {}).seed == 2


def test_same_seed_gives_the_same_scores(small, tmp_path: Path) -> None:
    workspace, cohort = small
    row = entries(cohort, ("erm",))[0]
    plan = planted_plan(workspace, ("erm",), (1,), 1)
    first, second = (Runner(cohort, plan.attribute, plan.base, tmp_path / name).outcome(row, 5, {}) for name in ("a", "b"))
    assert (first.score == second.score).all()


def test_unknown_method_and_empty_budget_are_refused(small, tmp_path: Path) -> None:
    workspace, _ = small
    for methods, seeds, budget in ((("nonsense",), (1,), 1), (("erm",), (1,), 0), (("erm",), (), 1)):
        with pytest.raises(UserError):
            comparison.check(planted_plan(workspace, methods, seeds, budget))


def test_a_method_that_cannot_train_the_cohort_is_left_out_with_its_reason(small, tmp_path: Path) -> None:
    _, cohort = small

    class ThreeModalities:
        """The cohort with one modality more."""

        modality_names = (*cohort.modality_names, "third")
        groups = staticmethod(cohort.groups)

    runner = Runner(ThreeModalities(), "group", planted.BASE, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="exactly two modalities"):
        runner.probe(entries(cohort, ("multifair-released",))[0])
    runner.probe(entries(cohort, ("multifair-plus",))[0])
