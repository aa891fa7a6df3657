"""The PDF says what the report says, on numbered pages, and takes no text for markup."""

from __future__ import annotations

import re
from pathlib import Path

import altair as alt
import pandas as pd
import pypdfium2
import pytest
import typst
from PIL import ImageFont

from core.report import glyphs, pdf
from core.report.document import ChartBlock, Drawing, Report, Section, TableBlock
from core.report.print_layout import TEXT_WIDTH, drawing_width, parts

MARKUP = '#eval("1") $x^2$ *b* _i_ @ref <label> \\ [c] `code` // no'


def dots(label: str) -> alt.Chart:
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0], "group": pd.Series([label, "b"], dtype=object)})
    return alt.Chart(frame).mark_point().encode(x="x:Q", y="y:Q", color="group:N")


def report(name: str = MARKUP, rows: int = 2) -> Report:
    frame = pd.DataFrame({"group": pd.Series([name] * rows, dtype=object), "auc": [0.8421] * rows})
    blocks = (ChartBlock("chart", f"T {name}", (Drawing(dots(name), name),), "alt"), TableBlock("groups", "Groups", frame))
    sections = tuple(Section(f"Question {number}", f"Answer {name}", blocks if number == 1 else (), (name,), "disparity") for number in (1, 2, 3))
    return Report("r", f"Audit {name}", "file.csv", "2026-01-02 03:04", (("Rows", "14"),), sections)


def pages(made: bytes) -> list[str]:
    """Text of every page, spaces and breaking places as one space."""
    document = pypdfium2.PdfDocument(made)
    return [re.sub(r"[\s\u200b]+", " ", document[number].get_textpage().get_text_bounded()) for number in range(len(document))]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_the_pdf_holds_title_contents_answers_tables_and_page_numbers() -> None:
    found = pages(pdf.render_pdf(report("Ward A")))
    text = " ".join(found)
    for said in ("Audit Ward A", "Contents", "Question 3", "Answer Ward A", "disparity", "Groups", "0.8421", "Rows", "14"):
        assert said in text
    for number, page in enumerate(found, start=1):
        assert f"{number} / {len(found)}" in page


def test_metadata_and_outline_are_in_the_file() -> None:
    document = pypdfium2.PdfDocument(pdf.render_pdf(report("Ward A")))
    told = document.get_metadata_dict()
    assert told["Title"] == "Audit Ward A"
    assert told["Author"].startswith("multifair")
    assert told["CreationDate"].startswith("D:20260102")
    assert [mark.get_title() for mark in document.get_toc()] == ["Question 1", "Question 2", "Question 3"]
    assert document.is_tagged()


def test_text_of_users_is_never_markup() -> None:
    text = squeezed(" ".join(pages(pdf.render_pdf(report()))))
    assert text.count(squeezed(MARKUP)) >= 6


@pytest.mark.parametrize("name", ["\u202e reversed", "nul \x00 here", "x" * 400, "", "\u2066\u2067", "a\nb\r\nc"])
def test_strange_names_do_not_stop_it(name: str) -> None:
    text = " ".join(pages(pdf.render_pdf(report(name))))
    assert "Question 3" in text
    assert "\u202e" not in text


def test_half_a_character_is_written_as_its_number() -> None:
    broken = alt.Chart(alt.Data(values=[{"x": 1, "g": "half \ud800"}])).mark_point().encode(x="x:Q", color="g:N")
    block = ChartBlock("c", "half \ud800", (Drawing(broken),), "alt \ud800")
    assert "U+D800" in " ".join(pages(pdf.render_pdf(Report("r", "t", "s", "2026-01-02 03:04", (), (Section("Q", blocks=(block,)),)))))


def test_a_letter_without_a_font_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    known = frozenset(glyphs.drawable() - {ord("中")})
    monkeypatch.setattr(glyphs, "drawable", lambda: known)
    text = " ".join(pages(pdf.render_pdf(report("中"))))
    assert "⟨U+4E2D⟩" in text
    assert "No font of the machine" in text
    assert "No font of the machine" not in " ".join(pages(pdf.render_pdf(report("plain"))))


def test_drawable_letters_are_those_in_the_fonts() -> None:
    assert {ord(letter) for letter in "Aé−·≥×…αЖ"} <= glyphs.drawable()
    assert 0x10FFFD not in glyphs.drawable()


def test_the_letters_of_a_font_file_are_those_that_another_reader_draws() -> None:
    paths = sorted({font.path for font in typst.Fonts().fonts() if font.path})
    if not paths:
        pytest.skip("this machine has no font files")
    for path in paths[:8]:
        shape, covered = ImageFont.truetype(path, 24), glyphs.covered(Path(path))
        nothing = bytes(shape.getmask("\U0010fffd"))
        for letter in "Aé−Жα中م":
            assert (bytes(shape.getmask(letter)) == nothing) == (ord(letter) not in covered), (path, letter)


def test_same_report_same_bytes() -> None:
    assert pdf.render_pdf(report("Ward A")) == pdf.render_pdf(report("Ward A"))


def test_long_tables_say_where_their_rows_are() -> None:
    text = " ".join(pages(pdf.render_pdf(report("Ward", pdf.OPEN_ROWS + 1))))
    assert f"{pdf.OPEN_ROWS + 1} rows: too long to print" in text


def test_no_column_runs_over_the_edge_and_all_are_printed() -> None:
    header = ["group", *(f"metric {number}" for number in range(20))]
    found = parts(header, [False] * 21, [["a", *([".842 [.810, .871]"] * 20)]])
    assert len(found) > 1
    for part in found:
        assert sum(part.widths) <= TEXT_WIDTH + 1e-6
        assert part.header[0] == "group"
    assert [name for part in found for name in part.header[1:]] == header[1:]


def test_a_tall_drawing_stays_on_its_page() -> None:
    assert drawing_width('<svg class="a" width="900" height="9000">', 500) < 500
    assert drawing_width('<svg width="900" height="300">', 500) == 500
