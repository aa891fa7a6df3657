"""Every number that a report of runs shows in any format is in its JSON; those of one table are in that table's file."""

from __future__ import annotations

import json
import re

import pypdfium2
import pytest

from core.audit import AuditOptions, audit
from core.report import interactive
from core.report.bundle import render, report_json
from core.report.document import Report
from core.report.of_runs import runs_report
from core.report.runs_view import MOST_DRAWN
from core.results.predictions import from_run
from core.store import Store
from tests.factories import FakeWorkspace, fake_workspace
from tests.report.test_every_number import DECIMAL, OWN, Known

TICK = re.compile(r"[01]?\.\d{1,2}|\d\.\d")
WORDS = {".06", ".25", "1.0"} | OWN
"""Of the tool's own sentences."""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkspace:
    return fake_workspace(tmp_path_factory.mktemp("runs"), runs=3, patients=300, epochs=3, unsettled=False)


@pytest.fixture(scope="module")
def runs(fake: FakeWorkspace) -> Report:
    with Store.open(fake.workspace) as store:
        return runs_report(store, list(store.runs(status="done")["run_id"])[:3], "sex")


@pytest.fixture(scope="module")
def html(runs: Report) -> str:
    return str(render(runs, "html"))


@pytest.fixture(scope="module")
def pdf(runs: Report) -> bytes:
    return bytes(render(runs, "pdf"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def known(runs: Report, fake: FakeWorkspace) -> Known:
    """Numbers of the tables' files, of the provenance and of the runs' audit, without those of sentences."""
    kept = report_json(runs)
    values = [value for rows in kept["tables"].values() for row in rows for value in row.values() if not isinstance(value, str)]
    with Store.open(fake.workspace) as store:
        audited = audit(from_run(store, list(fake.run_ids), "sex", ("test",)), AuditOptions(bootstrap=0)).to_dict()
    tests = [test for model in audited["models"].values() for test in model["attributes"]["sex"]["tests"]]
    return Known({"tables": values, "from": kept["provenance"], "tests": json.loads(json.dumps(tests))})


def unknown(known: Known, text: str) -> set[str]:
    return {found for found in known.unknown(text) if found not in WORDS}


def versions(runs: Report) -> set[str]:
    return {part for found in re.findall(r"\d+(?:\.\d+)+", json.dumps(report_json(runs)["provenance"])) for part in DECIMAL.findall(found)}


def test_a_number_that_is_nowhere_is_noticed(known: Known) -> None:
    assert unknown(known, "AUC .123456 and .98712345") == {".123456", ".98712345"}


def test_html(html: str, runs: Report, known: Known) -> None:
    text = re.sub(r"<style>.*?</style>|<script.*?</script>|<svg.*?</svg>|<pre>.*?</pre>", " ", html, flags=re.S)
    assert unknown(known, re.sub(r"<[^>]+>", " ", text)) - versions(runs) == set()


def test_pdf(pdf: bytes, runs: Report, known: Known) -> None:
    pages = pypdfium2.PdfDocument(pdf)
    drawings = {found for block in runs.charts() for part in block.drawings for found in DECIMAL.findall(json.dumps(part.chart.to_dict(), ensure_ascii=False))}
    text = " ".join(pages[number].get_textpage().get_text_bounded() for number in range(len(pages))).replace("\u200b", "").replace("\ufffe", "")
    assert {n for n in unknown(known, text) - drawings - versions(runs) if not TICK.fullmatch(n)} == set(), "only ticks of axes are not in the tables"


def test_latex(runs: Report, known: Known) -> None:
    assert unknown(known, re.sub(r"\$-\$", "−", str(render(runs, "latex")).split(r"\footnotesize")[1])) == set()


def test_what_is_read_in_a_table_is_what_its_file_holds(runs: Report) -> None:
    checked = 0
    kept = report_json(runs)["tables"]
    for table in (table for table in runs.tables() if table.shown is not None):
        own = Known({"rows": kept[table.name]})
        for cells in table.display.astype(object).itertuples(index=False, name=None):
            for cell in cells:
                found = set(DECIMAL.findall(str(cell)))
                checked += len(found)
                assert {n for n in found if not own.has(n)} <= versions(runs), (table.name, cell)
    assert checked > 80


def test_the_estimates_are_those_of_the_runs_own_audits(runs: Report, fake: FakeWorkspace) -> None:
    """What the report's own JSON holds is what an audit of the run's predictions says."""
    groups = next(t.frame for t in runs.tables() if t.name == "group_auc_table")
    with Store.open(fake.workspace) as store:
        for run_id, part in groups.groupby("run_id"):
            document = audit(from_run(store, str(run_id), "sex", ("test",)), AuditOptions(bootstrap=0)).to_dict()
            own = {None: document["overall"], **document["attributes"]["sex"]["groups"]}
            for row in part.astype(object).where(part.notna(), None).to_dict("records"):
                found = own[row["group"]]
                assert [row["value"], row["low"], row["high"]] == [found["auc"], *(found["auc_ci"] or (None, None))]


def test_a_report_of_as_many_runs_as_are_drawn_is_small(runs: Report, html: str, pdf: bytes) -> None:
    """Under five megabytes of HTML, of which the drawing library has one, and under three of PDF."""
    library = len(interactive.library())
    grows = MOST_DRAWN / 3
    assert library < 1_200_000
    assert library + (len(html.encode()) - library) * grows < 5_000_000
    assert len(pdf) * grows < 3_000_000
