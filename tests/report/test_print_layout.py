"""Widths of printed columns are those of the letters in them; no word runs into the next column, no number is cut in two."""

from __future__ import annotations

from core.report.pdf import breakable
from core.report.print_layout import PADDING, TEXT_WIDTH, measure, parts


def test_wide_letters_take_their_room() -> None:
    assert measure("Command") > 7 * 4.15 > measure("illicit")
    [part] = parts(["what", "answer"], [False, False], [["Command", "multifair train --cohort " + "x " * 200]])
    assert part.widths[0] >= measure("Command") + PADDING - 1e-9 and sum(part.widths) <= TEXT_WIDTH + 1e-6


def test_a_long_heading_takes_two_lines_before_cells_do() -> None:
    header = ["model", "where", "found (true positive)", "missed (false negative)", "false alarm (false positive)", "correctly not flagged (true negative)"]
    rows = [["multifair_plus", "age_band = 40-59", "31", "8", "2", "22"]]
    [part] = parts(header, [False] * 6, rows)
    assert part.widths[1] >= measure("age_band = 40-59")


def test_a_count_and_its_sign_stay_in_one_line() -> None:
    [part] = parts(["group", "n"], [False, False], [["F", "1\u2009033\u2009+ / 19\u2009−"]])
    assert "\u2009" not in part.rows[0][1][0] and part.rows[0][1][0].split(" ") == ["1\u202f033\u202f+", "/", "19\u202f−"]


def test_long_names_are_broken_at_their_joints() -> None:
    assert breakable("a_" * 20).replace("\u200b", "") == "a_" * 20
    assert breakable("predictions_of_2026-11-27_final").split("\u200b") == ["predictions_", "of_", "2026-", "11-", "27_", "final"]
    assert max(map(len, breakable("x" * 90).split("\u200b"))) <= 11
