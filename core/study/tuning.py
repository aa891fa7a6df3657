"""`multifair tune`: hyperparameter search with optuna, the same number of trials for every method.

optuna (Akiba et al., KDD 2019) proposes, prunes and keeps every trial in a journal, so that a stopped
search goes on where it was and two processes can share one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from core.cohort import Cohort
from core.errors import UserError
from core.errors import command as shell_command
from core.methods import get
from core.runs.spec import source_of
from core.training.presets import PRESETS, make_spec
from core.training.train import train
from core.workspace import write_atomic, write_json

if TYPE_CHECKING:
    import optuna

CRITERIA = ("es_auc", "auc", "worst_group_auc")
RATE_FACTOR = 8.0
"""Learning rates are searched between the preset's over and times this."""
WEIGHT_DECAYS = (1e-5, 1e-1)
OPTUNA_MISSING = "multifair tune needs the package optuna: pip install '.[tune]'"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Search:
    """What is searched: `trials` trainings of every method, judged on validation by `criterion`."""

    cohort: Cohort
    attribute: str
    preset: str = "quick"
    trials: int = 20
    criterion: str = "es_auc"
    seed: int = 0
    settings: Mapping[str, Any] | None = None
    """Fixed for all trials, by name as `multifair train --set` takes them."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UserError(f"a search needs at least 1 trial, not {self.trials}")
        if self.criterion not in CRITERIA:
            raise UserError(f"the criterion is one of {', '.join(CRITERIA)}, not {self.criterion!r}")
        if self.preset not in PRESETS:
            raise UserError(f"no preset is named {self.preset!r}; known: {', '.join(PRESETS)}")


@dataclass(frozen=True)
class Best:
    """The best trial of a method: its value on validation and its settings."""

    method: str
    variant: str
    value: float | None
    settings: Mapping[str, Any]
    trials: int
    pruned: int


def search(given: Search, methods: tuple[str, ...], folder: Path, told: Told) -> list[Best]:
    """Search every method and variant; writes `trials.csv` (every trial) and `best.json` into `folder`, which also holds the journals."""
    folder.mkdir(parents=True, exist_ok=True)
    frames, found = [], []
    for method in methods:
        for variant, fixed in get(method).variants(tuple(given.cohort.modality_names)).items():
            study = _study(given, method, fixed, folder)
            _run(given, study, method, fixed, told)
            frames.append(_frame(study, method, variant))
            found.append(_best(given, study, method, variant, fixed))
            write_atomic(folder / "trials.csv", pd.concat(frames).to_csv(index=False))
            write_json(folder / "best.json", [_plain(one, given) for one in found])
    return found


def _study(given: Search, method: str, fixed: Mapping[str, Any], folder: Path) -> optuna.Study:
    """The journal of this question; another cohort, setting, seed or text of the method is another one."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UserError(OPTUNA_MISSING) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    question = [
        given.cohort.cohort_id,
        given.attribute,
        given.preset,
        given.criterion,
        given.seed,
        dict(given.settings or {}),
        dict(fixed),
        method,
        source_of(method, make_spec(method, given.preset, given.attribute, given.seed, {**(given.settings or {}), **fixed}).network.encoders),
    ]
    name = json.dumps(question, sort_keys=True)
    return optuna.create_study(
        study_name=name,
        storage=JournalStorage(JournalFileBackend(str(folder / "journal.log"))),
        sampler=optuna.samplers.TPESampler(seed=given.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        direction="maximize",
        load_if_exists=True,
    )


def _run(given: Search, study: optuna.Study, method: str, fixed: Mapping[str, Any], told: Told) -> None:
    """Trials until there are as many as asked for; those of an earlier call count."""
    import optuna

    settled = [t for t in study.trials if t.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)]
    if not settled:
        # The defaults are the first trial: a search never ends below them.
        study.enqueue_trial(_defaults(given, method, fixed))

    def objective(trial: optuna.Trial) -> float:
        sink = _Sink(given.criterion)
        chosen = {**(given.settings or {}), **fixed, **proposed(trial, given, method, fixed)}

        def prune() -> bool:
            # A method in stages is not judged before its last one: its first epochs say nothing of it.
            if get(method).restarts is not _plain_restarts() or len(sink.values) <= sink.reported:
                return False
            sink.reported = len(sink.values)
            trial.report(max(sink.values), sink.reported - 1)
            return trial.should_prune()

        spec = make_spec(method, given.preset, given.attribute, given.seed, {"telemetry.enabled": False, "telemetry.baseline": False, **chosen})
        if train(given.cohort, spec, sink, should_stop=prune, device=given.device) == "cancelled":
            raise optuna.TrialPruned
        if not sink.values:
            raise UserError(f"{given.criterion} of {method} is not estimable on validation: choose another criterion or attribute")
        value = max(sink.values)
        told(f"{method} trial {trial.number}: {given.criterion} {value:.3f} {trial.params}")
        return value

    study.optimize(objective, n_trials=max(0, given.trials - len(settled)))


def _plain_restarts() -> Any:
    from core.methods.base import Method

    return Method.restarts


def proposed(trial: optuna.Trial, given: Search, method: str, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial tries: learning rate (the classifiers' follows it), weight decay, and the method's own search space."""
    budget = PRESETS[given.preset].budget
    taken = {**(given.settings or {}), **fixed}
    chosen: dict[str, Any] = {}
    rate = float(taken.get("lr", budget.lr))
    if "lr" not in taken:
        rate = trial.suggest_float("lr", budget.lr / RATE_FACTOR, budget.lr * RATE_FACTOR, log=True)
        chosen |= {"lr": rate, "classifier_lr": rate * budget.classifier_lr / budget.lr}
    if "weight_decay" not in taken:
        chosen["weight_decay"] = trial.suggest_float("weight_decay", *WEIGHT_DECAYS, log=True)
    for key, values in get(method).searched(str(taken.get("optimizer", budget.optimizer))).items():
        if key not in taken:
            chosen[key] = trial.suggest_categorical(key, list(values))
    return chosen


def _defaults(given: Search, method: str, fixed: Mapping[str, Any]) -> dict[str, Any]:
    budget, settings = PRESETS[given.preset].budget, get(method).parse_settings({})
    taken = {**(given.settings or {}), **fixed}
    values = {
        "lr": budget.lr,
        "weight_decay": budget.weight_decay,
        **{key: getattr(settings, key) for key in get(method).searched(str(taken.get("optimizer", budget.optimizer)))},
    }
    return {key: value for key, value in values.items() if key not in taken}


class _Sink:
    """Keeps the criterion of every epoch that has one."""

    def __init__(self, criterion: str) -> None:
        self._name = f"validation_{criterion}"
        self.values: list[float] = []
        self.reported = 0

    def event(self, event: dict[str, Any]) -> None:
        if event["event"] == "epoch" and event["epoch"] >= 0 and event[self._name] is not None:
            self.values.append(event[self._name])

    def predictions(self, frame: pd.DataFrame) -> None:
        """Not read: a trial is judged by its validation epochs."""


def _frame(study: optuna.Study, method: str, variant: str) -> pd.DataFrame:
    lines = [
        {
            "method": method,
            "variant": variant,
            "trial": t.number,
            "state": t.state.name.lower(),
            "value": t.value,
            "seconds": None if t.duration is None else t.duration.total_seconds(),
            **t.params,
        }
        for t in study.trials
    ]
    return pd.DataFrame(lines)


def _best(given: Search, study: optuna.Study, method: str, variant: str, fixed: Mapping[str, Any]) -> Best:
    states = [t.state.name for t in study.trials]
    if "COMPLETE" not in states:
        return Best(method, variant, None, dict(fixed), len(states), states.count("PRUNED"))
    params = dict(study.best_params)
    if "lr" in params:
        budget = PRESETS[given.preset].budget
        params["classifier_lr"] = params["lr"] * budget.classifier_lr / budget.lr
    return Best(method, variant, float(study.best_value), {**fixed, **params}, len(states), states.count("PRUNED"))


def _plain(one: Best, given: Search) -> dict[str, Any]:
    return {**vars(one), "settings": dict(one.settings), "criterion": given.criterion, "budget": given.trials, "command": command(one, given)}


def command(one: Best, given: Search) -> str:
    """How the best trial's settings are trained."""
    words = ["train", "--cohort", given.cohort.cohort_id, "--method", one.method, "--attribute", given.attribute, "--preset", given.preset]
    for key, value in one.settings.items():
        words += ["--set", f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"]
    return shell_command(*words)
