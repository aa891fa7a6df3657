"""`multifair methods`."""

from __future__ import annotations

import json

import pytest

from core.cli import main
from core.methods import names

KEYS = {"name", "family", "paper", "inference_needs", "limits", "step_cost"}


def test_json_holds_every_method_with_its_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == list(names())
    assert all(set(card) >= KEYS for card in cards)
    fin = next(card for card in cards if card["name"] == "fin")
    assert "sensitive attribute" in fin["inference_needs"]


def test_text_is_one_block_per_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    for name in names():
        assert f"\n{name} (" in "\n" + text
    assert "Step cost:" in text
