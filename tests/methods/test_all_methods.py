"""Invariances and hard batches, for every registered method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from core.methods import get, names
from core.methods.base import Method
from tests.methods import asserters, support
from tests.methods.support import batch, context, take

TWO_CLASSES_ONLY = {"threshold-optimizer", "multifair-released"}
TWO_MODALITIES_ONLY = {"multifair-released"}
ALL = list(names())
ONE_MODALITY = {"unimodal"}
# The released program reads group numbers as male and female, and the first modality's token: its own tests show it.
SYMMETRIC = [name for name in ALL if name != "multifair-released"]
# Random draws and teachers are tied to rows: the invariances are checked without them.
DETERMINISTIC: dict[str, dict[str, object]] = {"ogm-ge": {"noise": False}, "opm": {"base": 0.0}, "unimodal": {"modality": "m0"}, "umt": {"weight": 0.0}}
# Their modalities take turns in the order of their names: which one begins must matter.
BY_TURNS = {"mla", "reconboost"}
NEEDED: dict[str, dict[str, object]] = {"unimodal": {"modality": "m0"}}


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_has_a_full_card(name: str) -> None:
    card = get(name).card
    assert card.title and card.paper and card.summary and card.inference_needs and card.limits
    assert card.family in ("none", "balance", "fairness", "both")


def test_searched_settings_exist_and_include_the_default(name: str) -> None:
    cls = get(name)
    defaults = cls.parse_settings({})
    for key, values in cls.search_space.items():
        assert getattr(defaults, key) in values
        for value in values:
            cls.parse_settings({key: value})


def test_names_an_unknown_setting(name: str) -> None:
    with pytest.raises(ValueError, match="no setting nonsense"):
        get(name).parse_settings({"nonsense": 1})


def test_batch_order(name: str) -> None:
    asserters.assert_batch_order_does_not_matter(name, DETERMINISTIC.get(name, {}))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_group_relabelling(name: str) -> None:
    asserters.assert_group_names_do_not_matter(name, DETERMINISTIC.get(name, {}))


@pytest.mark.parametrize("name", [name for name in SYMMETRIC if name not in ONE_MODALITY | BY_TURNS])
def test_modality_order(name: str) -> None:
    asserters.assert_modality_order_does_not_matter(name, DETERMINISTIC.get(name, {}))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_restored_state_continues_identically(name: str, optimizer: str) -> None:
    asserters.assert_continues_after_restore(name, NEEDED.get(name, {}), optimizer=optimizer)


def test_three_modalities_and_three_classes(name: str) -> None:
    modalities = 2 if name in TWO_MODALITIES_ONLY else 3
    classes = 2 if name in TWO_CLASSES_ONLY else 3
    data = batch(18, modalities, classes, 3, missing=True)
    asserters.assert_survives(name, NEEDED.get(name, {}), data, n_modalities=modalities, n_classes=classes, n_groups=3)


@pytest.fixture
def precise(name: str) -> Iterator[None]:
    """Double precision for methods that fit between epochs: a fit ends where single precision sees no slope, which rounding decides."""
    if get(name).fits_held_out:
        torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("classes", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_more_classes_keep_order_groups_and_modalities(name: str, classes: int, precise: None) -> None:
    """What holds for two classes holds for more; a method that takes two only says so by name."""
    if name in TWO_CLASSES_ONLY:
        with pytest.raises(ValueError, match=f"{name} supports .*two classes, not"):
            support.Bench(name, NEEDED.get(name, {}), n_classes=classes)
        return
    settings = DETERMINISTIC.get(name, {})
    asserters.assert_batch_order_does_not_matter(name, settings, warm=1, n_classes=classes)
    asserters.assert_group_names_do_not_matter(name, settings, warm=1, n_classes=classes, n_groups=4)
    if name not in ONE_MODALITY | BY_TURNS:
        asserters.assert_modality_order_does_not_matter(name, settings, warm=1, n_classes=classes)
    asserters.assert_continues_after_restore(name, NEEDED.get(name, {}), first=2, more=1, n_classes=classes)


@pytest.mark.parametrize(
    "rows",
    [lambda d: d.group == 0, lambda d: d.y == 1, lambda d: torch.arange(len(d)) == 0, lambda d: (d.y == 0) & (d.group == 1)],
    ids=["missing group", "one class", "batch of one", "one class in one group"],
)
def test_hard_batches(name: str, rows) -> None:
    data = batch(16, n_groups=2)
    asserters.assert_survives(name, NEEDED.get(name, {}), take(data, rows(data).nonzero().squeeze(1)))


def test_unknown_groups(name: str) -> None:
    data = batch(12)
    asserters.assert_survives(name, NEEDED.get(name, {}), replace(data, group=torch.full((12,), -1)))
    mixed = data.group.clone()
    mixed[::2] = -1
    asserters.assert_survives(name, NEEDED.get(name, {}), replace(data, group=mixed))


def test_modality_absent_from_a_whole_batch(name: str) -> None:
    data = batch(12)
    present = data.present.clone()
    present[:, 0] = False
    asserters.assert_survives(name, NEEDED.get(name, {}), replace(data, present=present))


@pytest.mark.parametrize(
    ("neutral", "settings"),
    [
        ("agm", {"alpha": 0.0}),
        ("ogm-ge", {"alpha": 0.0, "noise": False}),
        ("opm", {"base": 0.0}),
        ("pmr", {"alpha": 0.0}),
        ("joint", {"weight": 0.0}),
        ("adversarial", {"strength": 0.0}),
        ("fin", {"momentum": 1.0}),
        ("fis", {"temperature": 0.0}),
        ("sinkhorn", {"weight": 0.0}),
        ("threshold-optimizer", {}),
        ("unimodal", {"modality": "m0"}),
    ],
)
def test_neutral_settings_equal_erm(neutral: str, settings: dict[str, object]) -> None:
    asserters.assert_equals_erm(neutral, settings)


@pytest.mark.parametrize(
    ("name", "settings", "factors"),
    [
        ("cggm", {"rho": 1.0, "weight": 0.0}, "core.methods.cggm.balancing_factors"),
        ("multifair", {"rho": 1.0, "lam": 0.0, "kappa": 0.0, "eta": 0.0, "clip": None}, "core.methods.multifair.balancing_factors"),
    ],
)
def test_factors_of_one_equal_erm(name: str, settings: dict[str, object], factors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, torch.ones_like)
    asserters.assert_equals_erm(name, settings)


def test_released_with_factors_of_one_and_the_networks_own_fusion_equals_erm(monkeypatch: pytest.MonkeyPatch) -> None:
    released = get("multifair-released")
    monkeypatch.setattr(released, "factors", lambda self: torch.ones(2))
    monkeypatch.setattr(released, "fused", Method.fused)
    asserters.assert_equals_erm("multifair-released", {"clip": 1e9})


def test_reweighing_of_a_balanced_cohort_equals_erm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "context", lambda *shape: replace(context(*shape), group_label_counts=torch.full((2, 2), 10.0)))
    asserters.assert_equals_erm("reweighing", {})


def test_group_dro_with_one_group_and_blending_of_the_fused_loss_alone_equal_erm(monkeypatch: pytest.MonkeyPatch) -> None:
    asserters.assert_equals_erm("group-dro", {"balanced": False}, n_groups=1)
    monkeypatch.setattr("core.methods.g_blending.blend", lambda gained, lost: torch.tensor([1.0, 0.0, 0.0]))
    plain, blended = support.Bench("erm"), support.Bench("g-blending", {"super_epoch": 1})
    blended.method.load_state({**blended.method.state(), "weights": torch.tensor([1.0, 0.0, 0.0])})
    torch.testing.assert_close(blended.run(4), plain.run(4), rtol=0, atol=0)


def test_memory_stays_flat(name: str) -> None:
    """No method keeps an autograd graph: what its state holds requires no gradient and stays one size."""
    from tests.methods.support import Bench

    bench = Bench(name, NEEDED.get(name, {}))
    bench.run(3)
    before = {key: value.numel() for key, value in bench.method.state().items()}
    bench.run(3, first=3)
    after = bench.method.state()
    assert {key: value.numel() for key, value in after.items()} == before
    assert not any(value.requires_grad for value in after.values())
