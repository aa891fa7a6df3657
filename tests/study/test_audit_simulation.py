"""The simulation study of the audit: its true values are true, it sees a wrong instrument, and it goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audit.engine import audit
from core.audit.inference import claims
from core.audit.options import AuditOptions
from core.cli import main
from core.metrics.multiple_testing import MaxT
from core.study.audit_cohorts import CohortSettings, simulate_cohort
from core.study.audit_equivalence import BOUNDARIES, UNSTUDIED, Boundary, boundary
from core.study.audit_exceptions import CLUSTERS, DISCRETE, EDGE, JOINED, stated_exception
from core.study.audit_families import FAMILIES, Family
from core.study.audit_intervals import Study
from core.study.audit_pairs import PairSetting
from core.study.audit_power import with_gap
from core.study.audit_promises import Line, line, not_below_best
from core.study.audit_simulation import jobs
from core.study.audit_table import head, read_table, row
from core.study.audit_trainings import TrainingSetting, _Patients, _summaries
from core.study.audit_truths import truths
from core.study.statistics import document


@pytest.mark.parametrize(
    "settings",
    [
        CohortSettings((60_000, 40_000), (0.3, 0.15), (0.88, 0.75), shift=(0.0, 0.6), stretch=(1.0, 1.4)),
        CohortSettings((30_000, 25_000), (0.25, 0.4), (0.8, 0.9), rows=((1, 1), (2, 2))),
        CohortSettings((60_000, 40_000), (0.3, 0.15), (0.88, 0.75), spread=1.7),
    ],
)
def test_true_values_are_those_of_a_huge_cohort(settings: CohortSettings) -> None:
    known = truths(settings, 0.4)
    found = audit(simulate_cohort(np.random.default_rng(8), settings), AuditOptions(threshold=0.4, bootstrap=0)).models[0]
    attribute = found.attributes[0]
    for metric, values in known.groups.items():
        assert attribute.tables[metric].value == pytest.approx(values, abs=0.05 if metric.startswith("calibration") else 0.025, rel=0.05), metric
    for metric, value in known.summaries.items():
        assert attribute.summary(metric).value == pytest.approx(value, abs=0.025), metric
    for metric, value in known.overall.items():
        assert found.tables[metric].value[0] == pytest.approx(value, abs=0.01), metric
    if known.cross is not None:
        assert attribute.cross_group is not None
        assert attribute.cross_group.value == pytest.approx(known.cross, abs=0.012)


def test_a_fair_family_is_rarely_called_unfair_and_uncorrected_tests_often(monkeypatch: pytest.MonkeyPatch) -> None:
    family = next(f for f in FAMILIES if f.name == "3 attributes of 640")
    assert all(not found.broken for found in family.run(np.random.default_rng(1), 120))
    monkeypatch.setattr(claims, "step_down_max_t", lambda p, loadings, alpha: MaxT(p, alpha))
    wrong = {found.part: found for found in family.run(np.random.default_rng(1), 120)}
    assert all(found.broken for found in wrong.values()), "without a correction the study must say so"


def test_intervals_that_are_too_short_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study("a pair", CohortSettings((150, 110), 0.35, (0.85, 0.8)))
    kept = study.run(np.random.default_rng(2), 100)
    assert [found for found in kept if found.broken] == []
    parts = {found.part.partition(":")[0] for found in kept}
    assert {"coverage of a group's interval", "coverage of a difference", "coverage of a summary", "coverage of a cross-group AUC"} <= parts
    narrow = replace(AuditOptions(threshold=0.35, bootstrap=0), alpha=0.2)
    monkeypatch.setattr("core.study.audit_intervals.AuditOptions", lambda **given: replace(narrow, threshold=given["threshold"]))
    broken = {found.part for found in study.run(np.random.default_rng(2), 100) if found.broken}
    assert {"coverage of a group's interval: auc of group 1", "coverage of a difference: auc"} <= broken


TRAININGS = TrainingSetting("3 trainings", (70, 60), 0.4, (0.85, 0.8), (0.85, 0.8), 3)


def test_true_values_of_several_trainings_are_those_of_many() -> None:
    setting = replace(TRAININGS, sizes=(40_000, 30_000))
    rng = np.random.default_rng(5)
    made = _Patients.draw(rng, setting)
    within, whole = made.areas(made.scores(rng, setting, 0, 40))
    found = {name: float(values.mean()) for name, values in _summaries(whole, within).items()}
    assert found == pytest.approx(setting._truth(setting.auc), abs=0.012)


def test_intervals_over_trainings_are_studied_and_those_of_one_training_are_seen_to_be_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = replace(TRAININGS, wander=0.4)
    found = {entry.part: entry for entry in setting.run(np.random.default_rng(6), 100)}
    assert not any(entry.broken for entry in found.values())
    assert {"coverage of a mean over trainings on these patients: max_gap", "size of a paired difference over trainings: auc"} <= found.keys()
    monkeypatch.setattr("core.study.audit_trainings.mean_over_trainings", lambda value, low, high: (float(value[0]), float(low[0]), float(high[0])))
    wrong = {entry.part: entry for entry in setting.run(np.random.default_rng(6), 100)}
    assert wrong["coverage of a mean over trainings: auc"].broken


def test_two_models_are_compared_where_that_is_asked_for() -> None:
    study = Study("2 models", CohortSettings((120, 90), 0.35, (0.85, 0.8), models=2, other_auc=(0.82, 0.8)), compared=True)
    found = {entry.part for entry in study.run(np.random.default_rng(3), 10)}
    assert {"coverage of a paired summary: max_gap", "coverage of a paired difference: auc", "coverage of a paired difference in a group: tpr"} <= found


def test_a_pair_is_set_against_the_best_valid_test() -> None:
    found = {entry.part: entry for entry in PairSetting("p", CohortSettings((200, 180), 0.3, 0.8), 0.65).run(np.random.default_rng(4), 200)}
    assert found["power of a pair: auc"].share > 0.5 and not found["size of a pair: auc"].broken
    assert not found["power less the best valid test's: auc"].broken
    lost = not_below_best("power", "", np.arange(200) < 100, np.arange(200) < 150)
    assert lost.share == -0.25 and lost.broken


@pytest.mark.parametrize("entry", BOUNDARIES, ids=lambda b: f"{b.metric}, {b.name}")
def test_a_boundary_lies_at_the_tolerance(entry: Boundary) -> None:
    from core.audit.inference.tolerances import bound

    known = truths(boundary(entry.cohort, entry.metric), 0.35)
    first, second = known.groups[entry.metric]
    apart = abs(np.log(first / second)) if entry.metric == "oe_ratio" else abs(first - second)
    assert apart == pytest.approx(bound(entry.metric, known.overall.get(entry.metric), known.prevalence).value, rel=1e-2)


def test_every_metric_with_a_verdict_is_studied_at_its_tolerance() -> None:
    assert UNSTUDIED == ()


def test_a_gap_in_a_rate_is_the_one_asked_for() -> None:
    cohort = CohortSettings((300, 300, 200), 0.3, 0.84)
    for metric in ("auc", "tpr", "fpr", "selection_rate"):
        values = truths(with_gap(cohort, metric, 0.07), 0.4).groups[metric]
        worse = values[-1] - values[0] if metric == "fpr" else values[0] - values[-1]
        assert worse == pytest.approx(0.07, abs=1e-6) and values[0] == values[1]


def test_a_broken_promise_is_seen_and_an_exception_is_stated() -> None:
    assert line("coverage", "", np.arange(1000) < 800, 0.93, 0.97).broken
    assert line("coverage", "", np.arange(1000) < 950, 0.93, 0.97).verdict == "kept"
    assert line("size", "", np.arange(1000) < 5, 0.03, 0.07).broken, "careful without a stated reason"
    assert line("size", "", np.arange(1000) < 5, 0.03, 0.07, DISCRETE).verdict == f"conservative: {DISCRETE}"
    assert line("size", "", np.arange(1000) < 150, 0.03, 0.07, DISCRETE).broken, "no exception lets a test reject too often"
    assert line("coverage", "", np.arange(1000) < 850, 0.93, 0.97, DISCRETE).broken, "or an interval miss too often"
    assert Line("free", "", 0.5, 0.01, 100, None, None).holds is None
    assert stated_exception(CohortSettings((600, 500)), 0.35, "auc") is None
    assert stated_exception(CohortSettings((600, 500)), 0.35, "tpr") is None
    assert stated_exception(CohortSettings((600, 40), 0.1, 0.95), 0.35, "auc") == EDGE
    assert stated_exception(CohortSettings((600, 40), 0.1, 0.8), 0.35, "tpr") == DISCRETE
    assert stated_exception(CohortSettings((9, 40), 0.4, 0.8, rows=20), 0.35, "auc") == CLUSTERS
    unequal = CohortSettings((120, 90), 0.36, 0.84, rows=(1, 3), weighted=True)
    assert stated_exception(unequal, 0.35, "auc") is None and stated_exception(unequal, 0.35, "auc", paired=True) == JOINED
    assert stated_exception(CohortSettings((120, 90), 0.36, 0.84), 0.35, "auc", paired=True) is None
    few = CohortSettings((80, 50), 0.36, 0.83, rows=2)
    assert stated_exception(few, 0.35, "es_auc") == stated_exception(few, 0.35, "auc") is not None


def test_unequal_patients_count_as_fewer() -> None:
    """Kish's loss, against what a large drawn cohort counts."""
    settings = CohortSettings((30_000, 30_000), rows=((1, 3), (2, 2)), weighted=True)
    made = simulate_cohort(np.random.default_rng(1), settings)
    assert made.patient is not None and made.weights is not None
    counted = np.bincount(made.patient, weights=made.weights)
    for g, expected in enumerate(settings.unequal_share()):
        own = counted[np.unique(made.patient[made.attributes["group"].codes == g])]
        assert np.mean(np.square(own)) / np.mean(own) ** 2 == pytest.approx(expected, rel=0.03)


def test_a_stopped_study_goes_on_and_its_table_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal, table = tmp_path / "journal.jsonl", tmp_path / "table.txt"
    command = ["study", "audit", "--repetitions", "12", "--seed", "3", "--parts", "claims", "--only", "prevalence .02", "--journal", str(journal)]
    assert main(command) == 0
    first = capsys.readouterr()
    assert "claims/2 groups, prevalence .02" in first.err and first.out.startswith("# multifair study audit --check --seed 3 --repetitions 12 --parts claims")
    assert main(command) == 0
    again = capsys.readouterr()
    assert again.out == first.out and "claims/" not in again.err, "nothing is simulated twice"
    table.write_text(first.out)
    rows = read_table(table)
    assert len(rows) == 4 and {r.setting for r in rows} == {"2 groups, prevalence .02", "2 groups, prevalence .02 and .5"}
    assert main(["study", "audit", "--repetitions", "12", "--seed", "4", "--parts", "claims", "--only", "prevalence .02", "--journal", str(journal)]) == 2
    assert "seed 3" in capsys.readouterr().err
    table.write_text("nonsense\n")
    with pytest.raises(Exception, match="line 1"):
        read_table(table)


def test_settings_have_names_of_their_own_and_numbers_of_their_own() -> None:
    names = [(job.part, job.name) for job in jobs()]
    assert len(set(names)) == len(names)
    family = Family("twice", CohortSettings((150, 80), 0.3))
    job = next(job for job in jobs() if job.name == "2 groups, prevalence .02")
    assert [row(found) for found in job.lines(5, 12)] == [row(found) for found in job.lines(5, 12)]
    assert "--only" in head(1, 10, ("claims",), "a b") and family.metrics == ("auc",)


@pytest.mark.parametrize(
    ("options", "said"), [(["--repetitions", "3"], "10 repetitions"), (["--parts", "size"], "unknown part 'size'"), (["--only", "nowhere"], "nowhere")]
)
def test_the_command_refuses_what_it_cannot_do(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "audit", *options]) == 2
    assert said in capsys.readouterr().err


def test_json_has_the_verdict_of_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "audit", "--repetitions", "10", "--parts", "claims", "--only", "prevalence .02", "--json"]) == 0
    assert {"part", "setting", "share", "kept", "verdict"} <= set(json.loads(capsys.readouterr().out)[0])


def test_the_statistics_page_is_that_of_the_shipped_table() -> None:
    root = Path(__file__).parents[2]
    table = root / "sample_data/results/study_audit.txt"
    source = table.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    assert (root / "STATISTICS.md").read_text(encoding="utf-8") == document(read_table(table), source)
