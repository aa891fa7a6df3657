"""Numbers in tables are written as in sentences, and stay numbers underneath."""

from __future__ import annotations

import pandas as pd

from dashboard.number_table import numbers


def test_numbers_are_written_as_in_sentences() -> None:
    frame = pd.DataFrame(
        {"name": ["a", "b", "c"], "value": [0.8421, -0.0481, None], "n": [12345.0, 7.0, None], "p": [0.00001, 0.5, 1.0], "front": [True, False, True]}
    )
    styled = numbers(frame)
    cells = [[cell["display_value"] for cell in row if cell["type"] == "td"] for row in styled._translate(False, False)["body"]]
    assert cells[0] == ["a", ".842", "12\u2009345", "1.0e\u221205", True]
    assert cells[1] == ["b", "\u2212.048", "7", ".500", False]
    assert cells[2] == ["c", "—", "—", "1.000", True]
    assert styled.data["value"].iloc[0] == 0.8421
