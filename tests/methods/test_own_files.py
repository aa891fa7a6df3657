"""Methods from a user's own file: known, keyed by their text, and clear about what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import UserError
from core.methods import get, own, source
from core.methods.base import REGISTRY
from core.runs.own_methods import cards_here, keep, kept_file, recall
from core.workspace import Workspace
from tests.methods import asserters

EXAMPLE = Path(source.__file__).with_name("own_example.md")
(FOCAL,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text(encoding="utf-8"), flags=re.S)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nobody else's test meets these methods."""
    yield
    for name in own._loaded:
        REGISTRY.pop(name, None)
    own._loaded.clear()
    source._own.clear()
    for cached in (source.cards, source.source_digest, source._constants, source._add_installed):
        cached.cache_clear()


def file(folder: Path, text: str = FOCAL, name: str = "focal.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_documented_example_is_a_whole_method(tmp_path: Path) -> None:
    assert source.add_file(file(tmp_path)) == ("my-focal",)
    assert source.cards()["my-focal"].title == "Focal loss" and "my-focal" not in REGISTRY
    assert get("my-focal").parse_settings({"gamma": 1.0}).gamma == 1.0
    asserters.assert_batch_order_does_not_matter("my-focal", {})
    asserters.assert_survives("my-focal", {}, asserters.batch(12, n_classes=3), n_classes=3)


def test_its_text_is_its_key_and_a_remark_is_not(tmp_path: Path) -> None:
    source.add_file(file(tmp_path))
    first = source.source_digest("my-focal")
    source.add_file(file(tmp_path, FOCAL.replace("gamma: float = 2.0", "gamma: float = 2.0  # as published"), "renamed.py"))
    assert source.source_digest("my-focal") == first
    source.add_file(file(tmp_path, FOCAL.replace("(1 - sure)", "(1.5 - sure)"), "changed.py"))
    assert source.source_digest("my-focal") != first


def test_a_later_file_takes_the_name(tmp_path: Path) -> None:
    source.add_file(file(tmp_path))
    assert get("my-focal").parse_settings({}).gamma == 2.0
    source.add_file(file(tmp_path, FOCAL.replace("gamma: float = 2.0", "gamma: float = 3.0"), "later.py"))
    assert get("my-focal").parse_settings({}).gamma == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n    pass\n", "focal.py: line 1"),
        ("x = 1\n", "no method in it"),
        (FOCAL.replace("my-focal", "erm"), "erm is a method of this program"),
        (FOCAL.replace('title="Focal loss"', "title=TITLE"), "card cannot be read"),
        (FOCAL.replace("from dataclasses import dataclass", "import no_such_package\nfrom dataclasses import dataclass"), "line 1: ModuleNotFoundError"),
        (FOCAL.replace("gamma: float = 2.0", "gamma: float = absent"), "NameError.*absent"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        for name in source.add_file(file(tmp_path, text)):
            get(name)
    assert "\n" not in str(error.value)
    assert get("erm").name == "erm" and "erm" in source.cards()


def test_a_workspace_keeps_a_copy_and_runs_nothing_from_elsewhere(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    path = file(tmp_path)
    assert keep(workspace, path) == ("my-focal",)
    kept = kept_file("my-focal")
    assert kept is not None and (workspace.methods / kept).read_text() == FOCAL and kept_file("erm") is None
    path.unlink()
    named = {"spec": {"method": "my-focal"}, "method_file": kept}
    recall(workspace, named)
    assert get("my-focal").name == "my-focal"
    file(workspace.root, FOCAL, "evil.py")
    for stranger in ("../evil.py", str(path), "absent-0123456789abcdef.py", 7):
        with pytest.raises(UserError, match="does not have"):
            recall(workspace, {**named, "method_file": stranger})
    with pytest.raises(UserError, match="cannot be read"):
        keep(workspace, tmp_path / "gone.py")


def test_installed_packages_offer_theirs_and_a_broken_one_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file(tmp_path, FOCAL, "offered.py")
    file(tmp_path, "def broken(:", "broken_offer.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [SimpleNamespace(name=name, module=name) for name in ("broken_offer", "offered", "absent_offer")]
    monkeypatch.setattr(source, "entry_points", lambda group: points if group == "multifair.methods" else [])
    source._add_installed.cache_clear()
    source.cards.cache_clear()
    assert {"my-focal", "erm"} <= set(source.cards())
    assert "broken_offer" in caplog.text and "absent_offer" in caplog.text
    assert get("my-focal").name == "my-focal"


def test_a_workspace_offers_its_own_files_and_no_others(tmp_path: Path) -> None:
    mine, other = Workspace.open(tmp_path / "mine"), Workspace.open(tmp_path / "other")
    keep(mine, file(tmp_path))
    keep(mine, file(tmp_path, FOCAL.replace("Focal loss", "Focal, newer"), "newer.py"))
    (mine.methods / f"broken-{'0' * 16}.py").write_text("def broken(:", encoding="utf-8")
    source._own.clear()
    source.cards.cache_clear()
    for _ in range(2):
        assert cards_here(mine)["my-focal"].title == "Focal, newer" and kept_file("my-focal") is not None
        assert "my-focal" not in cards_here(other) and "erm" in cards_here(other)
    keep(other, file(tmp_path, name="theirs.py"))
    assert cards_here(other)["my-focal"].title == "Focal loss" and cards_here(mine)["my-focal"].title == "Focal, newer"
