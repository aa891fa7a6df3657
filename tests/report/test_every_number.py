"""Every number that any format shows is in the audit's document: the same value, written as it is written everywhere.

A format may also count: rows, groups, verdicts, sections. What is counted is recounted here from the document.
"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pypdfium2
import pytest
import yaml

from core.audit import AuditOptions, Predictions, audit
from core.audit.comparison.compare_models import with_comparisons
from core.report.bundle import render, report_json
from core.report.document import Report
from core.report.of_audit import audit_report

DECIMAL = re.compile(r"(?<![\w.])[−+]?(\d*\.\d+)(?![\w]|\.\d)")
DIGITS = 4


def document() -> dict[str, Any]:
    rng = np.random.default_rng(8)
    n = 700
    y = (rng.random(n) < 0.4).astype(int)
    score = np.clip(0.25 * y + rng.random(n) * 0.7, 0, 1)
    sex, site = rng.choice(["F", "M"], n), rng.choice(["north", "south", "east"], n)
    given = Predictions.build(y, {"one": score, "two": np.clip(score + rng.normal(0, 0.1, n), 0, 1)}, {"sex": sex, "site": site})
    options = AuditOptions(bootstrap=100, intersections=2, curves=True)
    return dict(json.loads(json.dumps(with_comparisons(audit(given, options), given).to_dict())))


@pytest.fixture(scope="module")
def report() -> Report:
    return audit_report(document())


def numbers(value: Any) -> Iterator[float]:
    """Every number of a JSON value, those inside its sentences too."""
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, (int, float)):
        yield float(value)
    elif isinstance(value, str):
        yield from (float(found) for found in DECIMAL.findall(value))


class Known:
    """The numbers of the document, as they may be written with up to four decimals, whole or as percent."""

    def __init__(self, value: dict[str, Any]) -> None:
        raw = {abs(number) for number in numbers(value)}
        # What is derived in front of the reader: intervals and thresholds of the tool's own texts.
        self.texts = {f"{number:.{digits}f}" for number in raw for digits in range(1, DIGITS + 1)} | {f"{100 * number:.{d}f}" for number in raw for d in (0, 1)}
        self.texts |= {f"{number:.4g}" for number in raw}
        self.raw = {round(number, 12) for number in raw}

    def has(self, written: str) -> bool:
        text = written if not written.startswith(".") else f"0{written}"
        return text in self.texts or text.rstrip("0").rstrip(".") in self.texts

    def unknown(self, text: str) -> set[str]:
        return {found for found in DECIMAL.findall(text) if not self.has(found)}


@pytest.fixture(scope="module")
def known(report: Report) -> Known:
    return Known(report.data["audit"])


# The words of the tool itself: levels, versions, sizes and definitions that stand in its glossary and notes.
OWN = {"8.2", ".05", ".5", ".01", ".10", ".25", ".06", ".001", ".80"}


def told(known: Known, text: str, extra: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
    """Numbers that are neither in the document nor the tool's own words."""
    versions = set(re.findall(r"\d+\.\d+", " ".join(str(v) for v in DOCUMENT_VERSIONS)))
    return {n for n in known.unknown(text) if n not in OWN and n not in versions and n not in extra}


DOCUMENT_VERSIONS: list[str] = []


@pytest.fixture(autouse=True)
def versions(report: Report) -> None:
    made = report.data["audit"]["provenance"]
    DOCUMENT_VERSIONS[:] = [str(made["tool"]), str(made["python"]), str(made["platform"]), *(str(v) for v in made["packages"].values())]


def test_a_number_that_is_nowhere_is_noticed(known: Known) -> None:
    assert told(known, "AUC .123456 and .98712345") == {".123456", ".98712345"}


def test_html(report: Report, known: Known) -> None:
    html = str(render(report, "html"))
    text = re.sub(r"<style>.*?</style>|<script.*?</script>|<svg.*?</svg>", " ", html, flags=re.S)
    assert told(known, re.sub(r"<[^>]+>", " ", text)) == set()


def test_pdf(report: Report, known: Known) -> None:
    made = render(report, "pdf")
    pages = pypdfium2.PdfDocument(made)
    drawings = {found for block in report.charts() for part in block.drawings for found in DECIMAL.findall(json.dumps(part.chart.to_dict()))}
    text = " ".join(pages[number].get_textpage().get_text_bounded() for number in range(len(pages)))
    missing = told(known, text.replace("\u200b", "").replace("\ufffe", ""))
    ticks = {found for found in missing if re.fullmatch(r"[01]?\.\d{1,2}|\d\.\d", found)}
    assert missing - ticks - drawings == set(), "only ticks of axes are not in the document"


def test_latex_and_markdown(report: Report, known: Known) -> None:
    tex = str(render(report, "latex"))
    assert told(known, re.sub(r"\$-\$", "−", tex.split(r"\footnotesize")[1])) == set()
    head, body = str(render(report, "card")).split("\n---\n", 1)
    assert told(known, body.replace("\\", "")) == set()
    metrics = yaml.safe_load(head.removeprefix("---\n"))["model-index"][0]["results"][0]["metrics"]
    assert metrics and all(round(abs(one["value"]), 12) in known.raw for one in metrics)


def test_chai(report: Report, known: Known) -> None:
    root = ET.fromstring(str(render(report, "chai")))  # noqa: S314 - our own text
    for element in root.iter():
        if element.tag.endswith("ValueJson"):
            for number in numbers(json.loads(element.text or "null")):
                assert round(abs(number), 12) in known.raw
        else:
            assert told(known, (element.text or "").replace("\\", "")) == set()


def test_json_and_tables(report: Report, known: Known) -> None:
    counted = {"depth", "seeds"}
    for name, rows in report_json(report)["tables"].items():
        for row in rows:
            for column, value in row.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool) and column not in counted:
                    assert round(abs(value), 12) in known.raw, (name, column, value)
                elif isinstance(value, str):
                    assert told(known, value) == set(), (name, column, value)
    with zipfile.ZipFile(io.BytesIO(bytes(render(report, "zip")))) as archive:  # type: ignore[arg-type]
        for table in report.tables():
            read = pd.read_csv(archive.open(f"tables/{table.name}.csv"))
            kept = pd.read_parquet(io.BytesIO(archive.read(f"tables/{table.name}.parquet")))
            for column in table.frame.columns:
                if pd.api.types.is_float_dtype(table.frame[column]):
                    wanted = table.frame[column].to_numpy(dtype=float)
                    np.testing.assert_allclose(read[column].to_numpy(dtype=float), wanted, rtol=1e-12)
                    np.testing.assert_array_equal(kept[column].to_numpy(dtype=float), wanted)


def test_what_is_read_in_a_table_is_what_its_file_holds(report: Report) -> None:
    """The document has so many numbers that three decimals meet one by chance; those of one table are few."""
    checked = 0
    for table in report.tables():
        own = Known({"rows": report_json(report)["tables"][table.name]})
        for cells in table.display.astype(object).itertuples(index=False, name=None):
            for cell in cells:
                found = set(DECIMAL.findall(str(cell)))
                checked += len(found)
                assert {n for n in found if not own.has(n)} == set(), (table.name, cell)
    assert checked > 1000
