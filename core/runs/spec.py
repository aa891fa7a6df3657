"""What a run is: a cohort and a training. Its hash is the cache key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from core.json_reading import read_json
from core.methods import of_one_modality
from core.methods.source import cards, own_file, source_digest
from core.models.own_source import own_encoders_digest
from core.runs.own_methods import kept_file
from core.training.spec import TrainSpec
from core.workspace import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.cohort import Cohort

KEY_LENGTH_IN_NAME = 10
ALL_FOLDS = "all"
"""Fold of the run that pools what the runs of all folds say (core/runs/folds.py)."""


@dataclass(frozen=True)
class RunSpec:
    """A training on a cohort: everything that decides the numbers, and nothing else.

    The device, the number of threads and the versions of libraries are not in it; they are
    recorded in the run folder's environment.json.
    """

    cohort_id: str
    train: TrainSpec
    fold: str | None = None
    """Number of the fold of the cohort that is the test set, `ALL_FOLDS`, or None: the cohort's own splits."""

    def to_dict(self) -> dict[str, Any]:
        return {"cohort_id": self.cohort_id, **self.train.to_dict(), **({} if self.fold is None else {"fold": self.fold})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        rest = dict(values)
        return cls(rest.pop("cohort_id"), fold=rest.pop("fold", None), train=TrainSpec.from_dict(rest))

    @cached_property
    def key(self) -> str:
        """SHA-256 (hex): another setting or another text of the method gives another key (see `key_of`)."""
        return key_of(self.to_dict(), source_of(self.train.method, self.train.network.encoders))

    @property
    def run_id(self) -> str:
        return run_id_of(self.train.method, self.train.seed, self.key)

    @property
    def modality(self) -> str | None:
        """The modality of a run that trains one alone; None for every other run."""
        return self.train.settings.get("modality") if self.train.method in of_one_modality() else None

    def describe(self) -> dict[str, Any]:
        """Content of spec.json: the specification under its name, and how it is shown."""
        card = cards()[self.train.method]
        label = card.title if self.modality is None else f"{card.title}: {self.modality}"
        if self.fold is not None:
            label += ", all folds" if self.fold == ALL_FOLDS else f", fold {int(self.fold) + 1}"
        kept = kept_file(self.train.method)
        return {
            **({} if kept is None else {"method_file": kept}),
            "run_id": self.run_id,
            "key": self.key,
            "label": label,
            "family": card.family,
            "source": source_of(self.train.method, self.train.network.encoders),
            "spec": self.to_dict(),
        }


def source_of(method: str, encoders: Mapping[str, str]) -> str:
    """Digest of the texts that decide a run's numbers beside its settings: the method's, and users' own encoders'."""
    own = own_encoders_digest(encoders)
    return source_digest(method) + (f"+{own}" if own else "")


def plan(
    cohort: Cohort,
    methods: Iterable[str],
    attribute: str | None = None,
    seeds: Iterable[int] = (1,),
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    cache: Path | None = None,
) -> list[RunSpec]:
    """The runs that a request stands for: every method with every seed.

    A method of one modality becomes one run per modality of the cohort. `attribute` defaults to the
    cohort's first; `sex,age` means the intersections of both (`sex × age`). `settings` are routed by name to the method, the budget or the
    network; with several methods, a key is given to those that know it, and one that
    none knows is an error. The method's whole settings are written into the
    specification, so that a default that changes later is another run. With a `cache` folder
    the answer is kept there, under what was asked and the text of the code that answers, so
    that asking again needs no torch.

    Raises UserError naming what is unknown and what there is.
    """
    # The package of tables brings pandas, which a command that only lists runs has no need of.
    from core.tables.crossing import crossed_name, crossed_parts

    if attribute is None and cohort.roles.attributes:
        attribute = cohort.roles.attributes[0]
    if attribute is not None:
        attribute = crossed_name(attribute, cohort.roles.attributes)
        parts = crossed_parts(attribute, cohort.roles.attributes)
        if not parts:
            there = ", ".join(cohort.roles.attributes) or "none"
            raise UserError(f"cohort {cohort.name!r} has no sensitive attribute {attribute!r}; it has: {there} (several at once: A,B)")
        if len(parts) > 1 and len(cohort.groups(attribute)) < 2:
            raise UserError(f"{attribute}: fewer than two intersections occur in training; choose one attribute")
    names = list(dict.fromkeys(methods))
    if not names:
        raise UserError("no method is chosen; `multifair methods` lists them")
    asked = names, attribute, list(dict.fromkeys(seeds)), preset, dict(settings or {})
    if cache is None:
        return _plan(cohort, *asked)
    file = cache / "plans" / f"{_plan_key(cohort.cohort_id, asked)}.json"
    try:
        return [RunSpec.from_dict(values) for values in read_json(file)]
    except (OSError, ValueError, TypeError, KeyError):
        specs = _plan(cohort, *asked)
        # A finished workspace may be read-only or full: what is kept there only saves time.
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, [spec.to_dict() for spec in specs])
        return specs


def _plan_key(cohort_id: str, asked: tuple[Any, ...]) -> str:
    """Names a request together with the text of everything that answers it."""
    folder = Path(__file__).parents[1]
    files = [*(folder / "methods").glob("*.py"), *(folder / "training").glob("*.py"), *(folder / "models").glob("*.py"), *Path(__file__).parent.glob("*.py")]
    # A user's own method lies elsewhere, and its settings may change with it.
    own = [source_digest(name) for name in asked[0] if own_file(name) is not None]
    digest = hashlib.sha256(json.dumps([cohort_id, *asked, own], sort_keys=True).encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


def _plan(cohort: Cohort, names: list[str], attribute: str | None, seeds: list[int], preset: str, settings: dict[str, Any]) -> list[RunSpec]:
    from core.runs.setting_types import check_kinds
    from core.training.presets import make_spec

    chosen = _settings_for(names, settings, preset, attribute)
    specs = []
    for name in names:
        check_kinds(name, chosen[name])
        for variant in _variants(name, chosen[name], cohort):
            base = make_spec(name, preset, attribute, 0, variant)
            base = replace(base, settings=_whole_settings(base))
            specs += [RunSpec(cohort.cohort_id, replace(base, seed=seed)) for seed in seeds]
    return specs


def _settings_for(names: list[str], settings: dict[str, Any], preset: str, attribute: str | None) -> dict[str, dict[str, Any]]:
    """Settings by method. A key that belongs to some method only goes to those that have it."""
    from core.methods import get
    from core.runs.setting_types import check_kinds
    from core.training.presets import make_spec

    of_method = {name: set(get(name).Settings.__dataclass_fields__) for name in names}
    particular = set().union(*of_method.values())
    if len(names) == 1 or not particular & set(settings):
        return {name: settings for name in names}
    shared = {key: value for key, value in settings.items() if key not in particular}
    check_kinds(names[0], shared)
    make_spec(names[0], preset, attribute, 0, shared)
    return {name: shared | {key: value for key, value in settings.items() if key in of_method[name]} for name in names}


def _variants(name: str, settings: dict[str, Any], cohort: Cohort) -> list[dict[str, Any]]:
    """The settings of every run that the method stands for; one modality that is asked for by name is one run."""
    from core.methods import get

    if name in of_one_modality() and settings.get("modality") is not None:
        return [{**settings, "modality": cohort.modality(str(settings["modality"])).name}]
    return [{**settings, **variant} for variant in get(name).variants(tuple(cohort.modality_names)).values()]


def _whole_settings(spec: TrainSpec) -> dict[str, Any]:
    from core.methods import get

    return dict(sorted(asdict(get(spec.method).parse_settings(spec.settings)).items()))


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, 1 and 1.0 too.

    Raises ValueError on NaN or infinity, which JSON cannot say.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def key_of(spec: Mapping[str, Any], source: str = "") -> str:
    """SHA-256 (hex) of what decides a run's numbers: the cache key.

    The preset's name does not (its values are in the specification), nor do the resamples
    behind telemetry's intervals. `source`: digest of the method's own text.
    """
    deciding = {name: value for name, value in spec.items() if name != "preset"}
    if isinstance(spec.get("telemetry"), Mapping):
        deciding["telemetry"] = {name: value for name, value in spec["telemetry"].items() if name != "bootstrap"}
    return hashlib.sha256(canonical_json({**deciding, "source": source}).encode()).hexdigest()


def run_id_of(method: str, seed: int, key: str) -> str:
    """Readable and unique: `<method>-s<seed>-<first ten of the key>`."""
    return f"{method}-s{seed}-{key[:KEY_LENGTH_IN_NAME]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
