"""The loop: what it reports, what it leaves, and that going on from a checkpoint changes nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from core.errors import UserError
from core.methods.base import REGISTRY, Card, Method, Step
from core.training import checkpoint
from core.training.presets import make_spec
from core.training.spec import TrainSpec
from core.training.train import train
from tests.training.synthetic import ListSink, SyntheticCohort


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def a_spec(method: str = "erm", **settings: Any) -> TrainSpec:
    return make_spec(method, attribute="site", settings={"epochs": 3, "width": 16, "bootstrap": 20, **settings})


def trained(cohort: SyntheticCohort, spec: TrainSpec, **options: Any) -> ListSink:
    sink = ListSink()
    train(cohort, spec, sink, device="cpu", **options)
    return sink


class AllOnes(Method):
    """Factors of 1 everywhere: must be plain training to the last bit."""

    name = "all-ones"
    card = Card("All ones", "none", "none", "For the tests.")

    def feature_gradient_factors(self, step: Step) -> torch.Tensor:
        return torch.ones(len(step.batch), len(self.context.modalities))

    def update_factors(self, step: Step) -> torch.Tensor:
        return torch.ones(len(self.context.modalities))


@pytest.fixture()
def _all_ones() -> Any:
    REGISTRY["all-ones"] = AllOnes
    yield
    del REGISTRY["all-ones"]


def test_events_and_predictions() -> None:
    cohort = SyntheticCohort(kinds={"photo": "image", "scan": "volume", "note": "text", "labs": "tabular"}, n_groups=3)
    sink = trained(cohort, a_spec())
    assert [e["event"] for e in sink.events if e["event"] != "progress"] == ["start"] + ["epoch", "telemetry"] * 4 + ["end"]
    assert [e["epoch"] for e in sink.of("epoch")] == [-1, 0, 1, 2]
    json.dumps(sink.events, allow_nan=False)
    frame = sink.frame
    assert frame is not None and list(frame["sample_id"]) == list(cohort.table["sample_id"])
    assert frame["score"].between(0, 1).all() and frame["prediction"].isna().all()
    assert frame["score__labs"].isna().tolist() == (~cohort.present[:, 3]).tolist()
    assert {f"without__{m}" for m in cohort.modality_names} <= set(frame.columns)


def test_telemetry_names_every_modality_and_group() -> None:
    rows = trained(SyntheticCohort(n_groups=3), a_spec("multifair")).of("telemetry")[-1]["rows"]
    named = {(r["name"], r["modality"], r["modality_b"], r["group"], r["group_b"], r["stat"]) for r in rows}
    assert len(named) == len(rows)
    for expected in (
        ("conflict.fused", "labs", None, None, None, "p10"),
        ("conflict.modalities", "photo", "labs", None, None, "share_negative"),
        ("conflict.groups", None, None, "g0", "g2", "mean"),
        ("magnitude.groups", None, None, "g1", "g2", "mean"),
        ("contribution.phi", "photo", None, "g1", None, "mean"),
        ("unimodal.auc", "labs", None, None, None, "mean"),
        ("take_away.auc", None, None, None, None, "mean"),
        ("contribution.permutation", "photo", None, None, None, "mean"),
        ("confidence.share", "photo", None, None, None, "mean"),
        ("effect.relative_update", "labs", None, None, None, "mean"),
        ("method.balance", "photo", None, None, None, "mean"),
        ("method.group_auc", "photo", None, "g2", None, "mean"),
        ("method.gate", None, None, None, None, "mean"),
    ):
        assert expected in named


def test_it_learns() -> None:
    sink = trained(SyntheticCohort(n=200, strength=1.5), a_spec(epochs=5))
    assert sink.of("epoch")[-1]["validation_auc"] > 0.85


def test_telemetry_does_not_touch_the_weights() -> None:
    cohort = SyntheticCohort()
    with_it = trained(cohort, a_spec("multifair", probe_every=1, update_every=1))
    without = trained(cohort, a_spec("multifair", enabled=False))
    assert with_it.frame is not None and without.frame is not None
    assert with_it.frame["score"].tolist() == without.frame["score"].tolist()
    assert not without.of("telemetry")


def test_factors_of_one_are_erm_to_the_last_bit(_all_ones: None) -> None:
    cohort = SyntheticCohort()
    erm, ones = trained(cohort, a_spec()), trained(cohort, a_spec("all-ones"))
    assert erm.frame is not None and ones.frame is not None
    assert erm.frame["score"].tolist() == ones.frame["score"].tolist()


def test_multifair_without_its_parts_is_erm(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.methods import multifair

    monkeypatch.setattr(multifair, "balancing_factors", torch.ones_like)
    cohort = SyntheticCohort()
    bare = trained(cohort, a_spec("multifair", rho=1.0, lam=0.0, kappa=0.0, eta=0.0, clip=None))
    erm = trained(cohort, a_spec())
    assert bare.frame is not None and erm.frame is not None
    assert bare.frame["score"].tolist() == pytest.approx(erm.frame["score"].tolist(), abs=1e-6)


def test_a_checkpoint_holds_tensors_only_and_belongs_to_its_specification(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    cohort = SyntheticCohort(n=40)
    trained(cohort, a_spec(epochs=1), checkpoint=path)
    assert set(torch.load(path, weights_only=True)) == {"format", "spec", "state", "vectors"} and checkpoint.load(path, a_spec(epochs=1))["epoch"] == 1
    with pytest.raises(UserError, match="another run specification"):
        trained(cohort, a_spec(epochs=2), resume=path)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        trained(cohort, a_spec(epochs=1), resume=path)


def test_a_group_without_patients_is_null_and_not_zero() -> None:
    cohort = SyntheticCohort(n_groups=3)
    alone = (cohort.table["split"] == "validation").to_numpy() & (cohort._group == 2)
    cohort._group[alone] = 0
    rows = trained(cohort, a_spec()).of("telemetry")[-1]["rows"]
    absent = [r for r in rows if r["group"] == "g2" and r["name"] in ("contribution.phi", "unimodal.auc", "take_away.auc")]
    assert len(absent) == 7
    assert all(r["value"] is None and r["low"] is None and r["n"] == 0 for r in absent)


def test_unknown_groups_and_no_attribute() -> None:
    cohort = SyntheticCohort()
    cohort._group[::3] = -1
    assert trained(cohort, a_spec("multifair")).frame is not None
    rows = trained(cohort, make_spec("multifair", settings={"epochs": 1})).of("telemetry")[-1]["rows"]
    assert all(r["group"] is None for r in rows)


def test_batches_of_one() -> None:
    cohort = SyntheticCohort(n=48)
    n_train = int((cohort.table["split"] == "train").sum())
    sink = trained(cohort, a_spec("multifair", epochs=1, batch_size=n_train - 1))
    assert sink.events[-1]["status"] == "done" and math.isfinite(sink.of("epoch")[-1]["train_loss"])


def test_unimodal_trains_the_one_that_is_asked_for() -> None:
    cohort = SyntheticCohort()
    frame = trained(cohort, a_spec("unimodal", modality="labs")).frame
    assert frame is not None and "score__labs" in frame and "score__photo" not in frame
    with pytest.raises(UserError, match="photo, labs"):
        trained(cohort, a_spec("unimodal", modality="xray"))
    with pytest.raises(UserError, match="photo, labs"):
        trained(cohort, a_spec("unimodal"))


def three_classes(cohort: SyntheticCohort) -> SyntheticCohort:
    """The cohort with a third class, of half of its negatives."""
    negative = np.flatnonzero(cohort.table["y"] == 0)
    cohort.table.loc[negative[::2], "y"] = 2
    return cohort


def test_a_method_that_does_not_support_the_cohort_says_so() -> None:
    with pytest.raises(UserError, match="two classes"):
        trained(three_classes(SyntheticCohort()), a_spec("threshold-optimizer"))


def test_three_classes() -> None:
    cohort = three_classes(SyntheticCohort(n=240))
    sink = trained(cohort, a_spec("joint"))
    frame = sink.frame
    assert frame is not None
    validation = frame[(frame["split"] == "validation").to_numpy()]
    probability = validation[[f"probability__{k}" for k in range(3)]].to_numpy()
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(validation["score"], 1 - probability[:, 0], atol=1e-6)
    expected = roc_auc_score(validation["y"], probability, multi_class="ovr", average="macro")
    assert max(e["validation_auc"] for e in sink.of("epoch") if e["epoch"] >= 0) == pytest.approx(expected)
    rows = sink.of("telemetry")[-1]["rows"]
    (full,) = (r["value"] for r in rows if r["name"] == "take_away.auc" and r["modality"] is None and r["group"] is None)
    assert sum(r["value"] for r in rows if r["name"] == "contribution.phi" and r["group"] is None) == pytest.approx(full - 0.5)


def test_half_precision_is_close() -> None:
    cohort = SyntheticCohort()
    full, half = trained(cohort, a_spec(epochs=1)), trained(cohort, a_spec(epochs=1, precision="bf16"))
    assert full.frame is not None and half.frame is not None
    assert half.frame["score"].tolist() == pytest.approx(full.frame["score"].tolist(), abs=0.05)


def test_settings_by_name() -> None:
    spec = make_spec("multifair", settings={"lam": 0.3, "clip": 1.0, "budget.clip": 2.0, "lr": 0.01, "encoder.image": "hf:somewhere+frozen"})
    assert spec.settings == {"lam": 0.3, "clip": 1.0} and spec.budget.clip == 2.0 and spec.budget.lr == 0.01
    assert spec.network.encoder("photo", "image").frozen
    assert TrainSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    with pytest.raises(UserError, match="no setting 'lamda'"):
        make_spec("multifair", settings={"lamda": 1})
    with pytest.raises(UserError, match="quick, standard, paper"):
        make_spec("erm", "slow")
