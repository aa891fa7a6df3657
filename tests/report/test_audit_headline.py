"""The first sentence of an audit speaks of what was asked beforehand alone: exploratory differences once made it say `disparity`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.audit import AuditOptions, audit
from core.audit.comparison.compare_models import with_comparisons
from core.report.audit_headline import headline
from core.study.audit_cohorts import CohortSettings, simulate_cohort

PLAIN = AuditOptions(bootstrap=0, threshold=0.4)


def made(seed: int, options: AuditOptions = PLAIN, **settings: Any) -> Any:
    predictions = simulate_cohort(np.random.default_rng(seed), CohortSettings(**settings))
    return with_comparisons(audit(predictions, options), predictions)


@pytest.mark.parametrize("seed", range(6))
def test_the_word_is_a_disparity_exactly_where_the_primary_family_holds_one(seed: int) -> None:
    found = made(seed, sizes=(120, 60), prevalence=(0.1, 0.5), auc=(0.9, 0.9 - 0.05 * seed), attributes={"sex": 2})
    said = headline(found.to_dict())
    assert (said.word == "disparity") == found.has_disparity


def test_unequal_prevalence_is_a_lead_and_no_headline() -> None:
    document = made(1, sizes=(900, 900), prevalence=(0.1, 0.4), auc=0.8).to_dict()
    said = headline(document)
    assert said.word == "not enough data" and said.sentence.startswith("AUC by group: no difference is shown")
    assert said.exploratory.startswith("Exploratory, leads rather than findings: ") and "false positive rate by group" in said.exploratory
    assert (said.attribute, said.metric) == ("group", "auc")


def test_a_disparity_names_its_model_and_the_change_between_models_comes_first() -> None:
    document = made(2, sizes=(700, 500), prevalence=0.4, auc=(0.95, 0.7), other_auc=(0.86, 0.85), models=2).to_dict()
    said = headline(document)
    assert said.word == "disparity" and (said.model, said.attribute) == ("model 1", "group")
    first, rest = said.sentence.split(" By group, under model 1: AUC is ", 1)
    assert first.startswith("model 2 narrows the gap in AUC by group from .2") and "it is not shown to differ from model 1 in AUC" in first
    assert "is shown (corrected p < .001)" in rest


def test_all_within_the_tolerance_and_a_second_attribute() -> None:
    document = made(3, sizes=(4000, 4000), prevalence=0.4, auc=0.9).to_dict()
    assert headline(document).word == "no disparity found" and headline(document).sentence.startswith("AUC by group: every difference")
    both = made(4, sizes=(600, 500), prevalence=0.4, auc=(0.95, 0.75), attributes={"sex": 2}).to_dict()
    assert headline(both).sentence.startswith("By group: AUC is ")


def test_documents_of_before_the_families_asked_for_the_auc() -> None:
    document = made(1, sizes=(900, 900), prevalence=(0.1, 0.4), auc=0.8).to_dict()
    before = headline(document)
    for part in document["models"].values():
        for attribute in part["attributes"].values():
            for verdict in attribute["verdicts"].values():
                del verdict["primary"]
    assert headline(document) == before
