"""Telemetry against independent answers: autograd, pairs counted one by one, Shapley's axioms."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from core.methods import get, names
from core.methods.arithmetic import true_class_confidence
from core.models.batch import Fused, cross_entropy
from core.training.contribution import Scopes, contribution_rows, weighted_aucs
from core.training.curvature import Curvature
from core.training.engine import Engine
from core.training.evaluate import Evaluator
from core.training.predict import mean_features
from core.training.presets import make_spec
from core.training.probe import ConflictProbe, probe_rows
from core.training.shapley import interaction_weights, shapley_weights
from core.training.telemetry import StepGradients, StepTelemetry, cosine_and_magnitude
from core.training.train import as_data
from tests.training.synthetic import SyntheticCohort


@pytest.fixture(scope="module")
def engine() -> Engine:
    spec = make_spec("erm", attribute="site", settings={"width": 16, "dropout": 0.0})
    cohort = SyntheticCohort(n=120, kinds={"photo": "image", "note": "text", "labs": "tabular"}, n_groups=3, missing=0.3)
    return Engine(as_data(cohort, spec, torch.device("cpu")), spec)


def test_gradients_equal_autograds(engine: Engine) -> None:
    step, _ = engine.forward(engine.data.batch(engine.data.rows["train"][:24]), 0)
    ours, _ = StepGradients(3, engine.data.device)(step)
    network, batch = engine.network, step.batch
    losses = cross_entropy(step.fused.logits, batch.y)
    head = network.fusion.head.weight
    torch.testing.assert_close(ours[0], torch.autograd.grad(losses.mean(), head, retain_graph=True)[0].flatten(), atol=1e-6, rtol=1e-4)
    of_classifiers = torch.autograd.grad(step.modality_losses().sum(), network.classifier_weight, retain_graph=True)[0].flatten(1)
    torch.testing.assert_close(ours[4:], of_classifiers, atol=1e-6, rtol=1e-4)
    for g in range(3):
        of_group = torch.autograd.grad(losses[batch.group == g].mean(), head, retain_graph=True)[0].flatten()
        torch.testing.assert_close(ours[1 + g], of_group, atol=1e-6, rtol=1e-4)


def test_gradients_where_a_group_is_unknown_a_modality_absent_and_no_fused_layer(engine: Engine) -> None:
    step, _ = engine.forward(engine.data.batch(engine.data.rows["train"][:12]), 0)
    batch = replace(step.batch, group=torch.full((12,), -1), present=step.batch.present & torch.tensor([True, False, True]))
    gradients, share = StepGradients(3, engine.data.device)(replace(step, batch=batch, fused=Fused(step.fused.logits, None)))
    assert gradients.isnan().all(1).tolist() == [True, True, True, True, False, True, False]
    assert share[1].item() == 0 and share.isfinite().all()
    known, _ = StepGradients(3, engine.data.device)(replace(step, batch=batch))
    assert known.isnan().all(1).tolist() == [False, True, True, True, False, True, False]


def test_cosine_and_magnitude_by_hand() -> None:
    cosine, magnitude = cosine_and_magnitude(torch.tensor([[3.0, 4.0], [-3.0, -4.0], [10.0, 0.0], [0.0, 0.0]]))
    assert cosine[0, 1].item() == pytest.approx(-1)
    assert cosine[0, 2].item() == pytest.approx(0.6)
    assert magnitude[0, 2].item() == pytest.approx(2 * 5 * 10 / (25 + 100))
    assert cosine[0, 3].isnan() and magnitude[3, 1].isnan()


def test_an_absent_group_is_null_with_no_steps(engine: Engine) -> None:
    telemetry = StepTelemetry(engine.network.modalities, ("g0", "g1", "nobody", "g3"), engine.data.device)
    train = engine.data.rows["train"]
    rows = train[engine.data.group[train] < 2][:16]
    step, _ = engine.forward(engine.data.batch(rows), 0)
    telemetry.add(step, None, {"q_by_group": torch.tensor([1.0, 2.0, 3.0, torch.nan])})
    result = {(r["name"], r["group"], r["group_b"]): r for r in telemetry.rows() if r["stat"] == "mean"}
    assert result["conflict.groups", "g0", "nobody"]["value"] is None and result["conflict.groups", "g0", "nobody"]["n"] == 0
    assert result["conflict.groups", "g0", "g1"]["n"] == 1
    assert result["method.q_by_group", "g1", None]["value"] == 2.0
    assert result["method.q_by_group", "g3", None]["value"] is None
    assert telemetry.rows() == []


def test_confidence_shares_sum_to_one(engine: Engine) -> None:
    step, _ = engine.forward(engine.data.batch(engine.data.rows["train"][:16]), 0)
    _, share = StepGradients(3, engine.data.device)(step)
    assert share.shape == (3,) and share.sum().item() == pytest.approx(1)
    confidence = true_class_confidence(step.modality_logits.detach(), step.batch.y, step.batch.present) * step.batch.present.sum(0)
    torch.testing.assert_close(share, confidence / confidence.sum())


def test_weighted_aucs_are_aucs_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 60), np.round(rng.normal(size=60), 1)
    weight = rng.integers(0, 4, (60, 5)).astype(float)
    areas = weighted_aucs(y, score, weight)
    for b in range(5):
        times = weight[:, b].astype(int)
        assert areas[b] == pytest.approx(roc_auc_score(np.repeat(y, times), np.repeat(score, times)))
    assert np.isnan(weighted_aucs(np.ones(4), np.arange(4.0), np.ones((4, 1)))).all()


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_shapley_values_are_efficient_and_right(n: int) -> None:
    rng = np.random.default_rng(n)
    coalitions, weights = shapley_weights(n, rng)
    value = {c: float(rng.normal()) for c in coalitions}
    phi = weights @ [value[c] for c in coalitions]
    assert phi.sum() == pytest.approx(value[(True,) * n] - value[(False,) * n])
    if n <= 3:
        expected = np.zeros(n)
        orders = list(permutations(range(n)))
        for order in orders:
            members = [False] * n
            for m in order:
                before = value[tuple(members)]
                members[m] = True
                expected[m] += (value[tuple(members)] - before) / len(orders)
        np.testing.assert_allclose(phi, expected)


def test_contributions_sum_to_the_fused_auc(engine: Engine) -> None:
    evaluator = Evaluator(engine.network, engine.method, engine.data, "fp32")
    outputs = evaluator.run(engine.data.rows["validation"])
    mean = mean_features(outputs, torch.arange(len(outputs.y)))
    patients = engine.data.patients[outputs.rows.numpy()]
    rows = contribution_rows(evaluator, outputs, mean, engine.network.modalities, engine.data.groups, patients, 50, np.random.default_rng(0))
    for group in Scopes.of(outputs, engine.data.groups).names:
        phi = sum(r["value"] for r in rows if r["name"] == "contribution.phi" and r["group"] == group)
        (full,) = (r["value"] for r in rows if r["name"] == "take_away.auc" and r["modality"] is None and r["group"] == group)
        assert phi == pytest.approx(full - 0.5)
        assert sum(r["value"] for r in rows if r["name"] == "contribution.ratio" and r["group"] == group) == pytest.approx(1)
    reference = roc_auc_score(outputs.y, (outputs.logits[:, 1] - outputs.logits[:, 0]).numpy())
    (overall,) = (r for r in rows if r["name"] == "take_away.auc" and r["modality"] is None and r["group"] is None)
    assert overall["value"] == pytest.approx(reference)
    assert overall["low"] < overall["value"] < overall["high"]


@pytest.mark.parametrize("method", [name for name in names() if get(name).uses_group])
def test_what_the_attribute_gives_is_the_attributes(method: str) -> None:
    """Nothing kept, the group unknown as well: one score for all, so v(nothing) is 0 and the shares sum to the whole."""
    torch.set_num_threads(1)
    spec = make_spec(method, attribute="site", settings={"width": 16})
    engine = Engine(as_data(SyntheticCohort(n=240, n_groups=2), spec, torch.device("cpu")), spec)
    for rows in engine.epoch_order().split(32):
        engine.step(rows, 0)
    # The group alone predicts: half of a rule that adds to the logits of one group.
    evaluator = Evaluator(engine.network, engine.method, engine.data, "fp32")
    plain = engine.method.fused

    def told(network: Any, features: torch.Tensor, present: torch.Tensor, group: torch.Tensor) -> Fused:
        fused = plain(network, features, present, group)
        return replace(fused, logits=fused.logits + 2.0 * torch.stack([-(group == 1).float(), (group == 1).float()], 1))

    engine.method.fused = told  # type: ignore[method-assign]
    outputs = evaluator.run(engine.data.rows["validation"])
    mean = mean_features(outputs, torch.arange(len(outputs.y)))
    nothing = evaluator.keeping(outputs, mean, (False, False), keep_group=False)
    torch.testing.assert_close(nothing, nothing[:1].expand_as(nothing))
    assert not torch.allclose(evaluator.keeping(outputs, mean, (False, False)), nothing)
    rows = contribution_rows(
        evaluator, outputs, mean, engine.network.modalities, engine.data.groups, engine.data.patients[outputs.rows.numpy()], 20, np.random.default_rng(0)
    )
    for group in (None, "g0"):
        phi = {r["modality"]: r["value"] for r in rows if r["name"] in ("contribution.phi", "contribution.phi_attribute") and r["group"] == group}
        (full,) = (r["value"] for r in rows if r["name"] == "take_away.auc" and r["modality"] is None and r["group"] == group)
        assert set(phi) == {"photo", "labs", None} and sum(phi.values()) == pytest.approx(full - 0.5)
        shares = [r["value"] for r in rows if r["name"] in ("contribution.ratio", "contribution.ratio_attribute") and r["group"] == group]
        assert sum(shares) == pytest.approx(1)
    # Within a group the attribute is the same for all and gives nothing.
    (inside,) = (r["value"] for r in rows if r["name"] == "contribution.phi_attribute" and r["group"] == "g0")
    (overall,) = (r["value"] for r in rows if r["name"] == "contribution.phi_attribute" and r["group"] is None)
    assert overall != 0 and abs(inside) < 0.2


def test_nothing_kept_means_one_score_for_all(engine: Engine) -> None:
    evaluator = Evaluator(engine.network, engine.method, engine.data, "fp32")
    outputs = evaluator.run(engine.data.rows["validation"])
    logits = evaluator.keeping(outputs, torch.zeros(3, 16), (False, False, False))
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))
    torch.testing.assert_close(evaluator.keeping(outputs, torch.zeros(3, 16), (True, True, True)), outputs.logits)


def test_probe_agrees_with_itself_and_leaves_no_trace(engine: Engine) -> None:
    rows = probe_rows(engine.data, 0, 2)
    group, y = engine.data.group[rows], engine.data.y[rows]
    assert {(int(g), int(k)) for g, k in zip(group, y, strict=True)} == {(g, k) for g in range(3) for k in range(2)}
    probe = ConflictProbe(engine.network, engine.method, engine.data, rows)
    engine.network.zero_grad()
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in engine.network.state_dict().items()}
    probe.measure()
    assert torch.equal(before, torch.get_rng_state()) and engine.network.training
    assert all(p.grad is None for p in engine.network.parameters())
    assert all(torch.equal(v, state[k]) for k, v in engine.network.state_dict().items())
    measured = probe.rows()
    assert len(measured) == 9 and all(-1 <= r["value"] <= 1 and r["n"] == 1 for r in measured)


def test_relative_update_is_what_the_optimizer_did(engine: Engine) -> None:
    before = [p.detach().clone() for p in engine.network.encoder_parameters(2)]
    _, _, relative = engine.step(engine.data.rows["train"][:16], 0, measure_update=True)
    after = engine.network.encoder_parameters(2)
    change = torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)]).norm()
    assert relative is not None
    assert relative[2].item() == pytest.approx((change / torch.cat([b.flatten() for b in before]).norm()).item(), rel=1e-4)


def test_interactions_are_what_two_say_together_beyond_apart() -> None:
    """By hand for two players; for three, of a game of known parts; none where coalitions are sampled."""
    rng = np.random.default_rng(0)
    coalitions, _ = shapley_weights(2, rng)
    values = dict(zip([(False, False), (False, True), (True, False), (True, True)], [0.0, 0.3, 0.2, 0.35], strict=True))
    found = interaction_weights(2, [(0, 1)])
    assert found is not None and (found @ [values[c] for c in coalitions])[0] == pytest.approx(0.35 - 0.3 - 0.2)
    coalitions, _ = shapley_weights(3, rng)
    # v = a + 2 b + 5 ab - 3 abc: the interaction of a and b is 5 and half of what all three have, of a and c half of it alone.
    game = [a + 2 * b + 5 * a * b - 3 * a * b * c for a, b, c in coalitions]
    found = interaction_weights(3, list(combinations(range(3), 2)))
    assert found is not None and (found @ game).tolist() == pytest.approx([5 - 1.5, -1.5, -1.5])
    assert interaction_weights(7, [(0, 1)]) is None


def test_synergy_is_measured_for_everybody_and_each_group(engine: Engine) -> None:
    evaluator = Evaluator(engine.network, engine.method, engine.data, "fp32")
    outputs = evaluator.run(engine.data.rows["validation"])
    mean, patients = mean_features(outputs, torch.arange(len(outputs.y))), engine.data.patients[outputs.rows.numpy()]
    rows = contribution_rows(evaluator, outputs, mean, engine.network.modalities, engine.data.groups, patients, 50, np.random.default_rng(0))
    found = {(r["modality"], r["modality_b"], r["group"]): r for r in rows if r["name"] == "contribution.synergy"}
    assert set(found) == {(a, b, g) for a, b in combinations(engine.network.modalities, 2) for g in (None, "g0", "g1", "g2")}

    def worth(*kept: int) -> float:
        logits = evaluator.keeping(outputs, mean, tuple(m in kept for m in range(3)))
        return float(roc_auc_score(outputs.y, (logits[:, 1] - logits[:, 0]).numpy()))

    expected = (worth(0, 1) - worth(0) - worth(1) + 0.5) / 2 + (worth(0, 1, 2) - worth(0, 2) - worth(1, 2) + worth(2)) / 2
    overall = found[("photo", "note", None)]
    assert overall["value"] == pytest.approx(expected) and overall["low"] < overall["value"] < overall["high"]


def test_curvature_is_the_hessians_and_leaves_no_trace(engine: Engine) -> None:
    """Against u^T H u by two backward passes, in double precision."""
    rows = probe_rows(engine.data, 0, 2)
    before, weights = torch.get_rng_state(), {k: v.clone() for k, v in engine.network.state_dict().items()}
    measured = Curvature(engine.network, engine.data, rows).rows(Evaluator(engine.network, engine.method, engine.data, "fp32"))
    assert torch.equal(before, torch.get_rng_state()) and engine.network.training
    assert all(torch.equal(v, weights[k]) for k, v in engine.network.state_dict().items())
    network, batch = engine.network, engine.data.batch(rows)
    network.eval()
    assert [found["modality"] for found in measured] == ["photo", "note", "labs"] and measured[0]["value"] is not None
    # Without the images' encoder: the second derivative of a ReLU knows nothing of the kinks that a step of any length crosses.
    for m, found in list(enumerate(measured))[1:]:
        block = network.last_block_parameters(m)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            features = network.encode(batch.inputs, batch.present)
            loss = cross_entropy(network.fuse(features, batch.present).logits, batch.y).mean()
            gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, block, create_graph=True)])
            along = gradient @ (gradient.detach() / gradient.detach().norm())
            hessian_u = torch.cat([g.flatten() for g in torch.autograd.grad(along, block)])
        exact = float(hessian_u @ (gradient.detach() / gradient.detach().norm()))
        assert found["name"] == "effect.curvature" and found["value"] == pytest.approx(exact, rel=0.05, abs=1e-3)
    network.train()
