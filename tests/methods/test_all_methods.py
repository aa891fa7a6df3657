"""Invariances and hard batches, for every registered method."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.methods import get, names
from tests.methods import asserters
from tests.methods.support import batch, take

TWO_CLASSES_ONLY = {"threshold-optimizer", "multifair", "multifair-released"}
TWO_MODALITIES_ONLY = {"multifair-released"}
ALL = [name for name in names() if name != "unimodal"]
# The released program reads group numbers as male and female, and the first modality's token: its own tests show it.
SYMMETRIC = [name for name in ALL if name != "multifair-released"]
# Random draws are tied to rows: the invariances are checked without them.
DETERMINISTIC: dict[str, dict[str, object]] = {"ogm-ge": {"noise": False}, "opm": {"base": 0.0}}


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


@pytest.mark.parametrize("name", SYMMETRIC)
def test_modality_order(name: str) -> None:
    asserters.assert_modality_order_does_not_matter(name, DETERMINISTIC.get(name, {}))


def test_restored_state_continues_identically(name: str) -> None:
    asserters.assert_continues_after_restore(name, {})


def test_three_modalities_and_three_classes(name: str) -> None:
    modalities = 2 if name in TWO_MODALITIES_ONLY else 3
    classes = 2 if name in TWO_CLASSES_ONLY else 3
    data = batch(18, modalities, classes, 3, missing=True)
    asserters.assert_survives(name, {}, data, n_modalities=modalities, n_classes=classes, n_groups=3)


@pytest.mark.parametrize(
    "rows",
    [lambda d: d.group == 0, lambda d: d.y == 1, lambda d: torch.arange(len(d)) == 0, lambda d: (d.y == 0) & (d.group == 1)],
    ids=["missing group", "one class", "batch of one", "one class in one group"],
)
def test_hard_batches(name: str, rows) -> None:
    data = batch(16, n_groups=2)
    asserters.assert_survives(name, {}, take(data, rows(data).nonzero().squeeze(1)))


def test_unknown_groups(name: str) -> None:
    data = batch(12)
    asserters.assert_survives(name, {}, replace(data, group=torch.full((12,), -1)))
    mixed = data.group.clone()
    mixed[::2] = -1
    asserters.assert_survives(name, {}, replace(data, group=mixed))


def test_modality_absent_from_a_whole_batch(name: str) -> None:
    data = batch(12)
    present = data.present.clone()
    present[:, 0] = False
    asserters.assert_survives(name, {}, replace(data, present=present))


@pytest.mark.parametrize(
    ("neutral", "settings"),
    [
        ("agm", {"alpha": 0.0}),
        ("ogm-ge", {"alpha": 0.0, "noise": False}),
        ("opm", {"base": 0.0}),
        ("pmr", {"alpha": 0.0}),
        ("joint", {"weight": 0.0}),
        ("adversarial", {"strength": 0.0}),
        ("fin", {"momentum": 0.0}),
        ("fis", {"temperature": 0.0}),
        ("sinkhorn", {"weight": 0.0}),
        ("threshold-optimizer", {}),
    ],
)
def test_neutral_settings_equal_erm(neutral: str, settings: dict[str, object]) -> None:
    asserters.assert_equals_erm(neutral, settings)


def test_memory_stays_flat(name: str) -> None:
    """No method keeps an autograd graph: what its state holds requires no gradient and stays one size."""
    from tests.methods.support import Bench

    bench = Bench(name)
    bench.run(3)
    before = {key: value.numel() for key, value in bench.method.state().items()}
    bench.run(3, first=3)
    after = bench.method.state()
    assert {key: value.numel() for key, value in after.items()} == before
    assert not any(value.requires_grad for value in after.values())
