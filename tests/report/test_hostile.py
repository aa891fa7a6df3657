"""Names of files, groups, columns and models are data in every format: they run nothing, and move no number; same inputs, same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
import yaml

from core.audit import AuditOptions, Predictions, audit
from core.report.bundle import FORMATS, render, report_json, write
from core.report.document import Report
from core.report.of_audit import audit_report

SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://198.51.100.1","x")',
    r"\input{/etc/passwd}\write18{id} $x$ %",
    '#eval("1") #read("/etc/passwd") $x$ @ref <l>',
    "]]>&xxe;<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "../../etc/passwd\x00.html",
    "\u202egnp.exe \u2066 العربية 中文 😀",
    "a\n---\nb: !!python/object/apply:os.system ['id']\n# c | d",
    "{{ 7*7 }} {% for x in y %} ${7*7}",
    "A name that is far too long for its place in any drawing 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️ 👩🏽‍⚕️",
    "模型一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十",
    "𠀀𠀁𠀂𠀃𠀄𠀅𠀆𠀇𠀈𠀉𠀊𠀋" * 4,
)


def made(group: str, column: str = "", model: str = "") -> Report:
    rng = np.random.default_rng(4)
    n = 400
    y = (rng.random(n) < 0.4).astype(int)
    score = np.clip(0.3 + 0.25 * y + rng.normal(0, 0.15, n), 0, 1)
    given = Predictions.build(y, {f"{model}1": score, f"{model}2": score**2}, {f"{column}1": rng.choice([f"{group}1", f"{group}2"], n)}, source=group)
    document = json.loads(json.dumps(audit(given, AuditOptions(bootstrap=0, curves=True)).to_dict()))
    return audit_report(document, name=group or "plain", answers={"funding": column, "users": model})


@pytest.fixture(scope="module")
def plain() -> Report:
    return made("")


@pytest.fixture(scope="module", params=range(0, len(HOSTILE), 3))
def hostile(request: pytest.FixtureRequest) -> tuple[str, Report]:
    names = HOSTILE[request.param : request.param + 3]
    return names[0], made(*names)


def numbers_of(report: Report) -> list[Any]:
    tables = report_json(report)["tables"].values()
    return [value for rows in tables for row in rows for value in row.values() if isinstance(value, float)]


def test_no_number_moves(hostile: tuple[str, Report], plain: Report) -> None:
    assert numbers_of(hostile[1]) == numbers_of(plain)


def test_html_has_no_tag_of_theirs(hostile: tuple[str, Report], plain: Report) -> None:
    ours = set(re.findall(r"<([a-z0-9]+)", SCRIPT.sub("<script>", str(render(plain, "html")))))
    html = str(render(hostile[1], "html"))
    assert html.count("<script") == html.count("</script") == str(render(plain, "html")).count("<script")
    html = SCRIPT.sub("<script>", html)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= ours
    assert ("\x00" not in html and "\u202e" not in html and "{{ 7*7 }}" in html) or "7*7" not in str(hostile)


def test_pdf_shows_the_name_as_text(hostile: tuple[str, Report]) -> None:
    document = pypdfium2.PdfDocument(render(hostile[1], "pdf"))
    text = re.sub(r"[\s\u200b\ufffe]", "", "".join(document[i].get_textpage().get_text_bounded() for i in range(len(document))))
    letters = re.sub(r"[^A-Za-z]", "", hostile[0])
    assert letters[:9] in re.sub(r"[^A-Za-z]", "", text)
    assert "root:" not in text


def test_latex_has_no_command_of_theirs(hostile: tuple[str, Report], plain: Report) -> None:
    ours = set(re.findall(r"\\([a-zA-Z]+)", str(render(plain, "latex"))))
    found = set(re.findall(r"\\([a-zA-Z]+)", str(render(hostile[1], "latex"))))
    allowed = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl", "textquotesingle", "textasciigrave",
               "DeclareUnicodeCharacter"}  # fmt: skip
    assert found <= ours | allowed


def test_cards_and_json_can_be_read(hostile: tuple[str, Report]) -> None:
    assert json.loads(str(render(hostile[1], "json")))["data"]["audit"]["source"] == hostile[0]
    root = ET.fromstring(str(render(hostile[1], "chai")))  # noqa: S314 - our own text
    assert len(root) == 9
    card = str(render(hostile[1], "card"))
    head = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))
    assert set(head) == {"model_name", "tags", "model-index"} and isinstance(head["model_name"], str)
    assert "<script" not in card.split("\n---\n", 1)[1] and "<img" not in card.split("\n---\n", 1)[1]


def test_no_cell_of_a_table_is_a_formula_and_no_file_leaves_its_folder(hostile: tuple[str, Report], tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(bytes(render(hostile[1], "zip")))) as archive:  # type: ignore[arg-type]
        for name in archive.namelist():
            assert ".." not in name and not name.startswith("/") and name.isascii()
            if name.endswith(".csv"):
                for row in csv.reader(io.StringIO(archive.read(name).decode())):
                    assert not [
                        cell for cell in row if cell and (cell[:1] in ("=", "@", "\t", "\r") or (cell[:1] in "+-" and not re.fullmatch(r"[-+][\d.e+-]*", cell)))
                    ]
    [path] = write(hostile[1], tmp_path, ("json",))
    assert path.parent == tmp_path


@pytest.fixture(scope="module")
def twice() -> tuple[Report, Report]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOURCE_DATE_EPOCH", "1700000000")
        return made(" A"), made(" A")


@pytest.mark.parametrize("kind", FORMATS)
def test_same_inputs_same_bytes(kind: str, twice: tuple[Report, Report]) -> None:
    assert twice[0].created == "2023-11-14 22:13"
    assert render(twice[0], kind) == render(twice[1], kind)
