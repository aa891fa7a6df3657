"""The scripts of a report are the library once and our own lines; no text of a user is in them, and the page runs nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from core.report import interactive
from core.report.document import Report, Section, TableBlock
from core.report.html import render_html
from core.report.svg import readable_spec
from tests.report.test_render import NASTY, report

SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("core.report.html.library", lambda: "const library = 1;")
    return render_html(report())


def test_the_page_allows_its_own_two_scripts_and_nothing_else(page: str) -> None:
    scripts = [body for attributes, body in SCRIPT.findall(page) if not attributes]
    assert scripts == ["const library = 1;", interactive.START]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]  # type: ignore[index]
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and set(rules["script-src"].split()) == {f"'sha256-{one}'" for one in hashes}
    assert "unsafe-eval" not in policy and "connect-src" not in policy


def test_every_drawing_is_there_twice_as_a_picture_and_as_a_specification(page: str) -> None:
    [packed] = [body for attributes, body in SCRIPT.findall(page) if 'id="drawings"' in attributes]
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed), "no letter of a user can end the script"
    specs = json.loads(gzip.decompress(base64.b64decode(packed)))
    wanted = [json.loads(readable_spec(part.chart)) for block in report().charts() for part in block.drawings]
    assert list(specs.values()) == wanted and NASTY in json.dumps(wanted[0]).replace('\\"', '"')
    assert re.findall(r'data-drawing="([^"]+)"', page) == list(specs) and page.count("<svg") == len(specs)


def test_a_report_without_charts_runs_nothing() -> None:
    plain = Report("r", "T", "s", "2026", (), (Section("a", blocks=(TableBlock("t", "T", pd.DataFrame({"a": [1]})),)),))
    assert "<script" not in render_html(plain) and "script-src 'none'" in render_html(plain)


def test_the_library_is_bundled_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet, vl_version: made.append(snippet) or "library")
    for _ in range(2):
        interactive.library.cache_clear()
        assert interactive.library() == "library"
    assert made == [interactive.EXPORT]
    interactive.library.cache_clear()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "file" / name))
    assert interactive.library() == "library" and len(made) == 2
    interactive.library.cache_clear()


def test_a_library_that_ends_its_own_script_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path))
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet, vl_version: "x</SCRIPT>")
    interactive.library.cache_clear()
    with pytest.raises(ValueError, match="end of a script"):
        interactive.library()
    interactive.library.cache_clear()
