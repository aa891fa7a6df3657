from __future__ import annotations

import shutil
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from core.cohort import Modality, Roles
from core.errors import UserError
from core.methods import source
from core.methods.source import source_digest
from core.runs.spec import RunSpec, canonical_json, key_of, plan
from core.training.presets import make_spec


class _Cohort:
    """What `plan` asks of a cohort."""

    cohort_id, name, modality_names = "abc", "Clinic", ("photo", "note", "table")
    roles = Roles("id", None, "y", "1", None, ("sex", "race"), tuple(Modality(n, "tabular", (n,)) for n in modality_names))

    def modality(self, name: str) -> Modality:
        for modality in self.roles.modalities:
            if modality.name == name:
                return modality
        raise UserError(f"no modality {name!r}")


COHORT: Any = _Cohort()


def spec(**changes: Any) -> RunSpec:
    return RunSpec("abc", replace(make_spec("group-dro", attribute="sex", seed=1), **changes))


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    return [path]


@pytest.mark.parametrize("path", leaves(spec().to_dict()), ids=".".join)
def test_every_single_setting_changes_the_key(path: tuple[str, ...]) -> None:
    values = spec().to_dict()
    owner = values
    for name in path[:-1]:
        owner = owner[name]
    before = owner[path[-1]]
    owner[path[-1]] = (not before) if isinstance(before, bool) else before + 1 if isinstance(before, int | float) else {"x": 1} if before == {} else "other"
    source = source_digest("group-dro")
    assert key_of(spec().to_dict(), source) == spec().key
    shown_only = path in (("preset",), ("telemetry", "bootstrap"))
    assert (key_of(values, source) == spec().key) is shown_only


def test_another_text_of_the_method_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in source.FOLDER.glob("*.py"):
        shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.setattr(source, "FOLDER", tmp_path)

    def digests() -> dict[str, str]:
        for known in (source.cards, source.source_digest, source._constants):
            known.cache_clear()
        return {name: source.source_digest(name) for name in ("erm", "multifair", "group-dro")}

    def change(file: str, old: str, new: str) -> None:
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    before = digests()
    change("multifair.py", 'title="MultiFair"', 'title="Another"')
    change("multifair.py", '"""', '"""Other words. ')
    change("erm.py", "from __future__", "# a comment\nfrom __future__")
    assert digests() == before
    change("multifair.py", "lam: float = 0.15", "lam: float = 0.16")
    changed = digests()
    assert changed["multifair"] != before["multifair"] and changed["erm"] == before["erm"]
    change("arithmetic.py", "return", "return 1 *")
    assert digests()["multifair"] != changed["multifair"] and digests()["erm"] == before["erm"]
    monkeypatch.undo()
    digests()


def test_cards_are_read_without_running_the_methods() -> None:
    from core.methods import get, names

    assert list(source.cards()) == list(names())
    for name, card in source.cards().items():
        assert card == get(name).card


def test_a_specification_survives_json() -> None:
    first = spec(settings={"step": 0.02})
    again = RunSpec.from_dict(first.to_dict())
    assert again == first and again.key == first.key
    assert first.run_id == f"group-dro-s1-{first.key[:10]}"


def test_a_specification_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        spec().cohort_id = "other"  # type: ignore[misc]


def test_the_key_does_not_depend_on_order_or_on_how_a_number_is_written() -> None:
    assert key_of({"a": 1, "b": {"c": 2.0, "d": 0.5}}) == key_of({"b": {"d": 0.5, "c": 2}, "a": 1.0})
    assert canonical_json({"b": True, "a": (1, 2)}) == '{"a":[1,2],"b":true}'
    assert key_of({"a": 1}) != key_of({"a": "1"})


def test_nan_has_no_key() -> None:
    with pytest.raises(ValueError):
        key_of({"a": float("nan")})


def test_unimodal_is_one_run_per_modality_and_seeds_multiply() -> None:
    specs = plan(COHORT, ["unimodal", "erm"], seeds=[1, 2, 2])
    assert [(s.train.method, s.modality, s.train.seed) for s in specs] == [
        *(("unimodal", m, s) for m in ("photo", "note", "table") for s in (1, 2)), ("erm", None, 1), ("erm", None, 2)
    ]  # fmt: skip
    assert len({s.run_id for s in specs}) == 8
    assert specs[0].describe()["label"] == "Unimodal: photo"
    assert specs[0].train.attribute == "sex"


def test_one_modality_can_be_chosen() -> None:
    assert [s.modality for s in plan(COHORT, ["unimodal"], settings={"modality": "note"})] == ["note"]
    with pytest.raises(UserError, match="no modality 'xray'"):
        plan(COHORT, ["unimodal"], settings={"modality": "xray"})


def test_settings_go_where_their_name_belongs() -> None:
    (one,) = plan(COHORT, ["multifair"], settings={"tau": 0.07, "epochs": 3, "width": 32, "encoder.photo": "small"})
    assert one.train.settings["tau"] == 0.07
    assert one.train.budget.epochs == 3
    assert one.train.network.width == 32 and one.train.network.encoders == {"photo": "small"}


def test_a_method_setting_reaches_only_the_methods_that_have_it() -> None:
    erm, multifair = plan(COHORT, ["erm", "multifair"], settings={"tau": 0.07, "epochs": 3})
    assert "tau" not in erm.train.settings and multifair.train.settings["tau"] == 0.07
    assert erm.train.budget.epochs == multifair.train.budget.epochs == 3


def test_naming_a_default_asks_for_the_same_run() -> None:
    (plain,) = plan(COHORT, ["multifair"])
    (named,) = plan(COHORT, ["multifair"], settings={"tau": plain.train.settings["tau"]})
    assert plain.key == named.key and "tau" in plain.train.settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": ["ermm"]}, "no method is named 'ermm'"),
        ({"methods": []}, "no method is chosen"),
        ({"methods": ["erm"], "attribute": "age"}, "no sensitive attribute 'age'; it has: sex, race"),
        ({"methods": ["erm"], "preset": "slow"}, "no preset is named 'slow'"),
        ({"methods": ["erm"], "settings": {"tauu": 1}}, "no setting 'tauu'"),
        ({"methods": ["erm", "multifair"], "settings": {"tau": 0.1, "tauu": 1}}, "no setting 'tauu'"),
        ({"methods": ["erm"], "settings": {"epochs": 0}}, "epochs"),
        ({"methods": ["erm"], "settings": {"epochs": "many"}}, "setting epochs is a whole number, not 'many'"),
        ({"methods": ["erm"], "settings": {"budget.clip": "x"}}, "setting budget.clip is a number or null, not 'x'"),
        ({"methods": ["erm"], "settings": {"augment": "spin"}}, "'none' or 'flip' or 'strong', not 'spin'"),
        ({"methods": ["erm", "multifair"], "settings": {"tau": True}}, "setting tau is a number, not True"),
    ],
)
def test_what_is_unknown_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(COHORT, **arguments)


def test_a_plan_that_was_made_before_is_read_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runs import spec as module

    asked: dict[str, Any] = {"methods": ["unimodal", "erm"], "seeds": (1, 2), "settings": {"lr": 0.002}}
    first = plan(COHORT, **asked, cache=tmp_path)
    assert first == plan(COHORT, **asked) and len(first) == 8
    made = module._plan
    monkeypatch.setattr(module, "_plan", None)
    assert plan(COHORT, **asked, cache=tmp_path) == first
    monkeypatch.setattr(module, "_plan", made)
    assert plan(COHORT, **{**asked, "settings": {"lr": 0.003}}, cache=tmp_path) != first
    (kept,) = [file for file in (tmp_path / "plans").iterdir() if '"lr": 0.002' in file.read_text(encoding="utf-8")]
    kept.write_text("[{}]", encoding="utf-8")
    assert plan(COHORT, **asked, cache=tmp_path) == first
