"""A report is one file that needs no network, and user text in it is only text."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import altair as alt
import pandas as pd
import pytest
import vl_convert
from PIL import Image, ImageChops

from core.charts.theme import FONT
from core.errors import UserError
from core.report.bundle import json_text, parse_formats, report_zip, tables_zip, write
from core.report.cells import cell_text
from core.report.document import ChartBlock, Drawing, Report, Section, TableBlock
from core.report.html import render_html
from core.report.svg import chart_svg
from core.report.tables import csv_text, plain

SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)
"""What stands in a page's scripts is held by test_interactive."""
NASTY = '<script>alert("x")</script>'


def dots(label: str = "a") -> alt.Chart:
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 3.0], "group": [label, "b"]})
    return alt.Chart(frame).mark_point(clip=True).encode(x="x:Q", y="y:Q", color="group:N")


def report(name: str = "r") -> Report:
    frame = pd.DataFrame({"group": [NASTY, "b"], "auc": [0.8421234, float("nan")], "n": [10, 4]})
    return Report(
        name=name,
        title=f"Cohort {NASTY}",
        subtitle="two runs",
        created="2026-01-02T03:04",
        facts=(("Patients", "14"), ("Name", NASTY)),
        sections=(
            Section(
                f"Who {NASTY}?",
                f"Answer {NASTY}",
                (
                    ChartBlock("first", f"T {NASTY}", (Drawing(dots(NASTY), NASTY),), f'alt "{NASTY}'),
                    ChartBlock("second", "T", (Drawing(dots()),), "alt"),
                    TableBlock("groups", "Groups", frame),
                ),
                notes=(NASTY,),
                tag="disparity",
            ),
        ),
        provenance={"seed": 1, "path": NASTY},
    )


def test_user_text_is_escaped_everywhere() -> None:
    html = SCRIPT.sub("", render_html(report()))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_page_names_no_other_machine() -> None:
    html = SCRIPT.sub("", render_html(report()))
    addresses = set(re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!#)([^\"')\s>]+)", html))
    assert {a for a in addresses if "//" in a} <= {"http://www.w3.org/1999/xlink"}
    assert "default-src 'none'" in html


def test_drawings_are_inline_and_share_no_id() -> None:
    html = SCRIPT.sub("", render_html(report()))
    assert html.count("<svg") == 2
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert ids
    assert len(ids) == len(set(ids))
    for used in re.findall(r"url\(#([^)]+)\)", html):
        assert used in ids


def test_a_chart_with_a_remote_file_is_refused() -> None:
    remote = alt.Chart(alt.UrlData("http://198.51.100.1/data.csv")).mark_point().encode(x="x:Q")
    with pytest.raises(ValueError, match=r"198\.51\.100\.1"):
        chart_svg(remote)


def test_undefined_is_a_dash_null_and_empty_never_zero() -> None:
    assert cell_text(float("nan")) == "–"
    assert plain(float("inf")) is None
    assert json.loads(json_text(report()))["tables"]["groups"][1]["auc"] is None
    assert csv_text(pd.DataFrame({"a": [None, 1.5]})) == 'a\n""\n1.5\n'


def test_numbers_are_read_as_written() -> None:
    assert cell_text(3.0) == "3"
    assert cell_text(0.84213) == "0.8421"
    assert cell_text(True) == "yes"


def test_zip_holds_the_report_tables_and_drawings() -> None:
    with zipfile.ZipFile(io.BytesIO(report_zip(report()))) as archive:
        assert set(archive.namelist()) == {
            "report.html",
            "report.json",
            "data-dictionary.csv",
            "tables/groups.csv",
            "tables/groups.parquet",
            "charts/first.svg",
            "charts/second.svg",
        }
        frame = pd.read_csv(archive.open("tables/groups.csv"))
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(archive.read("tables/groups.parquet"))), report().tables().__next__().frame)
        told = pd.read_csv(archive.open("data-dictionary.csv"))
        assert told[["table", "column"]].to_numpy().tolist() == [["groups", "group"], ["groups", "auc"], ["groups", "n"]]
    assert frame["group"].tolist() == [NASTY, "b"]
    assert frame["auc"].isna().tolist() == [False, True]
    same = report()
    assert report_zip(same) == report_zip(same)
    with zipfile.ZipFile(io.BytesIO(tables_zip(report()))) as archive:
        assert archive.namelist() == ["groups.csv"]


def test_write_makes_what_was_asked_and_stays_in_its_folder(tmp_path: Path) -> None:
    made = write(report("../../etc/x y"), tmp_path / "new" / "out", ("html", "json"))
    assert [path.name for path in made] == ["etc-x-y.html", "etc-x-y.json"]
    assert all(path.parent == tmp_path / "new" / "out" for path in made)


def test_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(report(), tmp_path / "file" / "out", ("json",))


@pytest.mark.parametrize(("text", "message"), [("html,pptx", "pptx: unknown"), ("doc", "unknown"), (" ,", "empty")])
def test_formats_that_cannot_be_made_say_so(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_formats(text)
    assert parse_formats("html, zip,html") == ("html", "zip")


def test_block_names_are_unique() -> None:
    block = ChartBlock("same", "T", (Drawing(dots()),), "alt")
    with pytest.raises(ValueError, match="same"):
        Report("r", "t", "s", "2026", (), (Section("a", blocks=(block, block)),))


def test_a_compact_drawing_looks_the_same_and_keeps_the_words() -> None:
    words = ' role="x" font-family="y" 1.23456 <b>'
    frame = pd.DataFrame({"x": [1.23456, 2.0], "y": [1.0, 3.7], "group": [words, "b"]})
    chart = alt.Chart(frame).mark_point().encode(x="x:Q", y="y:Q", color="group:N", text="group:N")
    full = vl_convert.vegalite_to_svg(chart.to_dict())
    small = chart_svg(chart)
    assert len(small) < 0.65 * len(full)
    texts = [[node.text for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")] for svg in (full, small)]  # noqa: S314 - our own text
    assert texts[0] == texts[1] and any('role="x" font-family="y" 1.23456' in str(text) for text in texts[1])
    pictures = [Image.open(io.BytesIO(vl_convert.svg_to_png(svg))).convert("L") for svg in (full, small)]
    assert pictures[0].size == pictures[1].size
    assert sum(ImageChops.difference(*pictures).histogram()[20:]) < 0.002 * pictures[0].width * pictures[0].height


def test_half_an_emoji_is_never_measured() -> None:
    """Names are shortened to their room half by half of UTF-16; the renderer failed on half a letter."""
    long = "A group of doctors and nurses whose name is too long for the room that it has " + "👩🏽‍⚕️" * 12
    for name in (long, "👩🏽‍⚕️ \ue000 " + "😀" * 60, "𠀀" * 80):
        svg = chart_svg(dots(name))
        assert "…" in svg and ("👩🏽" in svg or "😀" in svg or "𠀀" in svg or name is long)
        assert not any(0xE000 <= ord(letter) < 0xF900 for letter in svg)


def test_names_have_the_room_that_they_need() -> None:
    """Texts are measured in a font of their own width: with the theme's list they were cut after three quarters of their room."""
    words = "Group by modality, mean cosine, marked epochs"
    spec = {"data": {"values": [{}]}, "mark": {"type": "text", "limit": 270, "fontSize": 12, "text": words}, "config": {"font": FONT}}
    svg = chart_svg(alt.Chart.from_dict(spec))
    assert words in svg
    assert "Liberation Sans&" in svg and 'font-family="Liberation Sans"' not in svg
