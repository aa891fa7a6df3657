"""Protocols: where a method fits what no gradient does, and that validation is not touched under the nested one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.methods import get, names
from core.training import held_out
from core.training.data import HELD_OUT
from core.training.engine import Engine
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import as_data, train
from tests.training.synthetic import ListSink, SyntheticCohort

KINDS = {"first": "tabular", "second": "tabular"}
FITTING = [name for name in names() if get(name).fits_held_out or get(name).fits_decision]


def a_spec(method: str, **settings: Any) -> TrainSpec:
    torch.set_num_threads(1)
    return make_spec(method, attribute="site", settings={"epochs": 2, "width": 8, "telemetry.enabled": False, "telemetry.baseline": False, **settings})


def test_folds_part_the_training_patients() -> None:
    data = as_data(SyntheticCohort(n=240, kinds=KINDS), a_spec("erm"), torch.device("cpu"))
    parts = held_out.folds(data, 3, 7)
    assert sorted(np.concatenate(parts)) == list(range(len(data.rows["train"])))
    patients = [set(data.patients[data.rows["train"].numpy()[part]]) for part in parts]
    assert not (patients[0] & patients[1] or patients[0] & patients[2] or patients[1] & patients[2])
    assert max(map(len, patients)) - min(map(len, patients)) <= 1
    left = data.without(parts[0])
    assert set(left.rows["train"].tolist()).isdisjoint(left.rows[HELD_OUT].tolist())
    assert sorted([*left.rows["train"].tolist(), *left.rows[HELD_OUT].tolist()]) == data.rows["train"].tolist()


def test_out_of_fold_outputs_cover_training_once_and_leave_the_random_numbers_alone() -> None:
    spec = a_spec("multifair-plus", fit_on="training")
    data = as_data(SyntheticCohort(n=240, kinds=KINDS), spec, torch.device("cpu"))
    before = torch.get_rng_state()
    epochs = held_out.out_of_fold(data, spec, lambda: False)
    assert torch.equal(torch.get_rng_state(), before)
    assert epochs is not None and len(epochs) == 2
    for one in epochs:
        assert sorted(one.rows.tolist()) == sorted(data.rows["train"].tolist())
        assert one.fused.experts is not None and one.fused.experts.shape == (len(one.rows), 2, 2)
    back = held_out.unpacked(held_out.packed(epochs), torch.device("cpu"))
    torch.testing.assert_close(back[1].fused.experts, epochs[1].fused.experts)
    assert held_out.out_of_fold(data, spec, lambda: True) is None


def test_a_folds_outputs_are_those_of_a_network_that_never_saw_it() -> None:
    spec = a_spec("stacking", fit_on="training", epochs=1)
    data = as_data(SyntheticCohort(n=240, kinds=KINDS), spec, torch.device("cpu"))
    epochs = held_out.out_of_fold(data, spec, lambda: False)
    first = held_out.folds(data, 3, spec.seed)[0]
    alone = Engine(data.without(first), spec)
    for rows in alone.epoch_order(0).split(spec.budget.batch_size):
        alone.step(rows, 0)
    alone.network.eval()
    batch = alone.data.batch(alone.data.rows[HELD_OUT])
    expected = alone.network.classify(alone.network.encode(batch.inputs, batch.present))
    assert epochs is not None
    torch.testing.assert_close(epochs[0].modality_logits[: len(first)], expected)


@pytest.mark.parametrize("method", FITTING)
def test_validation_labels_change_no_weight_under_the_nested_protocol(method: str) -> None:
    """Validation selects: with one epoch there is nothing to select, and what its labels are must not matter. Under protocol a it does."""
    scores = {}
    for fit_on in ("training", "validation"):
        for flipped in (False, True):
            cohort = SyntheticCohort(n=360, kinds=KINDS, missing=0.0, strength=0.3)
            if flipped:
                rows = (cohort.table["split"] == "validation").to_numpy()
                cohort.table.loc[rows, "y"] = 1 - cohort.table.loc[rows, "y"]
            sink = ListSink()
            train(cohort, a_spec(method, fit_on=fit_on, epochs=1, **({"super_epoch": 1} if method == "g-blending" else {})), sink, device="cpu")
            assert sink.frame is not None
            decided = sink.frame["prediction"] if get(method).fits_decision else sink.frame["score"]
            scores[fit_on, flipped] = decided.to_numpy(dtype=float)
    np.testing.assert_array_equal(scores["training", False], scores["training", True])
    if method not in ("g-blending", "relearning"):  # they act after the first epoch only
        assert not np.array_equal(scores["validation", False], scores["validation", True])


def test_methods_that_fit_nothing_train_the_same_under_both() -> None:
    frames = []
    for fit_on in ("training", "validation"):
        sink = ListSink()
        train(SyntheticCohort(n=120, kinds=KINDS), a_spec("erm", fit_on=fit_on), sink, device="cpu")
        frames.append(sink.frame)
    assert frames[0] is not None and frames[0].equals(frames[1])


def test_choices_that_came_later_leave_earlier_specifications_as_they_were() -> None:
    assert "fit_on" not in a_spec("erm").to_dict()["budget"] and "optimizer" not in a_spec("erm").to_dict()["budget"]
    nested = a_spec("erm", fit_on="training", optimizer="sgd")
    assert nested.to_dict()["budget"]["fit_on"] == "training"
    assert TrainSpec.from_dict(nested.to_dict()) == nested
