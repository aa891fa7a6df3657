"""Methods in stages, averaged weights and own draws: what the loop does with what a method asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.training import checkpoint
from core.training.engine import Engine
from core.training.presets import make_spec
from core.training.train import as_data, train
from tests.training.synthetic import ListSink, SyntheticCohort

KINDS = {"first": "tabular", "second": "tabular"}


def engine(method: str, **settings: Any) -> Engine:
    torch.set_num_threads(1)
    spec = make_spec(method, attribute="site", settings={"epochs": 4, "width": 8, **settings})
    return Engine(as_data(SyntheticCohort(n=120, kinds=KINDS), spec, torch.device("cpu")), spec)


def weights(made: Engine) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in made.network.main_parameters()])


def run_epoch(made: Engine, epoch: int) -> None:
    for rows in made.epoch_order(epoch).split(32):
        made.step(rows, epoch)


def test_a_restart_gives_the_first_weights_and_forgets_the_optimizer() -> None:
    made = engine("erm")
    first = weights(made)
    run_epoch(made, 0)
    assert not torch.equal(weights(made), first)
    before = torch.get_rng_state()
    made.restart()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(made), first)
    assert not made.optimizer.state and made.stage_start == made.steps_done
    assert made.rate(0) < 1  # the schedule warms up again


def test_jtt_repeats_what_the_first_network_got_wrong() -> None:
    made = engine("jtt", times=3, first=0.5)
    assert made.method.total_epochs(4) == 6 and made.method.epoch_rows(0) is None
    wrong = torch.zeros(made.n_train, dtype=torch.bool)
    wrong[:7] = True
    made.method.load_state({"wrong": wrong})
    counts = torch.bincount(made.method.epoch_rows(2), minlength=made.n_train)
    assert counts[:7].tolist() == [3] * 7 and (counts[7:] == 1).all()
    assert [made.method.restarts(epoch) for epoch in range(4)] == [False, True, False, False]


def test_jtt_keeps_an_epoch_of_its_second_training_alone(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    spec = make_spec("jtt", attribute="site", settings={"epochs": 2, "width": 8, "first": 1.0, "bootstrap": 5})
    sink = ListSink()
    train(SyntheticCohort(n=120, kinds=KINDS), spec, sink, device="cpu", checkpoint=tmp_path / "c.pt")
    assert [e["epoch"] for e in sink.of("epoch")] == [-1, 0, 1, 2, 3]
    losses = [e["train_loss"] for e in sink.of("epoch")]
    assert losses[3] > losses[2]  # it begins anew


def test_swa_evaluates_the_mean_of_the_weights_after_each_epoch() -> None:
    made = engine("swa", start=0.5, rate_factor=0.3)
    assert [made.method.averaging(e) for e in range(4)] == [None, None, 1.0, 0.5]
    assert made.method.rate(0.7, 0) == 0.7 and made.method.rate(0.7, 3) == 0.3
    passed = []
    for epoch in range(4):
        run_epoch(made, epoch)
        share = made.method.averaging(epoch)
        if share is not None:
            made.average_in(share)
            passed.append(weights(made))
    own = weights(made)
    with made.averaged():
        torch.testing.assert_close(weights(made), torch.stack(passed).mean(0))
    assert torch.equal(weights(made), own)


def test_resampling_draws_every_cell_equally_often() -> None:
    made = engine("resampling")
    made.method.context = made.method.context.__class__(
        **{
            **vars(made.method.context),
            "train_group": torch.tensor([0] * 800 + [1] * 200),
            "train_y": torch.tensor([0] * 700 + [1] * 100 + [0] * 150 + [1] * 50),
        }
    )
    cell = made.method.context.train_group * 2 + made.method.context.train_y
    shares = torch.bincount(cell[made.method.epoch_rows(0)], minlength=4) / 1000
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.06, rtol=0)


def test_sgd_is_torchs_own() -> None:
    made = engine("erm", optimizer="sgd", lr=0.05, momentum=0.8, weight_decay=0.01)
    assert isinstance(made.optimizer, torch.optim.SGD) and isinstance(made.classifier_optimizer, torch.optim.SGD)
    assert made.optimizer.param_groups[0]["momentum"] == 0.8 and made.optimizer.param_groups[0]["weight_decay"] == 0.01


def test_strong_augmentation_changes_pixels_within_bounds() -> None:
    from core.training.augment import strongly

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (8, 3, 24, 24), generator=generator, dtype=torch.uint8)
    changed = strongly(pixels, generator)
    assert changed.dtype == torch.uint8 and changed.shape == pixels.shape
    assert (changed != pixels).flatten(1).any(1).all()
    flat = strongly(torch.full((4, 1, 16, 16), 100, dtype=torch.uint8), generator).float()
    # A flat image stays flat: only its brightness changes, by a fifth at most.
    assert float(flat.std((1, 2, 3)).max()) < 0.3 and float(flat.min()) >= 80 and float(flat.max()) <= 120


def test_a_finished_run_keeps_only_what_predicts(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    spec = make_spec("erm", attribute="site", settings={"epochs": 2, "width": 8, "bootstrap": 5})
    cohort = SyntheticCohort(n=120, kinds=KINDS)
    path, sink, again = tmp_path / "c.pt", ListSink(), ListSink()
    sizes: list[int] = []

    def look() -> bool:
        sizes.extend([path.stat().st_size] if path.exists() else [])
        return False

    train(cohort, spec, sink, should_stop=look, checkpoint=path, device="cpu")
    assert set(checkpoint.load(path, spec)) == {"epoch", "best", "finished"}
    assert path.stat().st_size < 0.5 * max(sizes)
    # A process that was stopped between the two last writes predicts again and trains no more.
    train(cohort, spec, again, resume=path, device="cpu")
    assert again.of("epoch") == [] and again.frame is not None and again.frame.equals(sink.frame)
    np.testing.assert_equal(again.events[-1]["status"], "done")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"optimizer": "adam"}, "'adamw' or 'sgd'"), ({"folds": 1}, "at least 2"), ({"selection": "best"}, "'no_harm'"), ({"evaluation_batch": 0}, "at least 1")],
)
def test_unknown_choices_name_the_known_ones(wrong: dict[str, Any], said: str) -> None:
    from core.errors import UserError

    with pytest.raises(UserError, match=said):
        make_spec("erm", settings=wrong)
