"""The Reports page: what is previewed and downloaded is core's report of the chosen runs."""

from __future__ import annotations

import pytest

from core.workspace import Workspace
from tests.factories import fake_workspace
from tests.pages.analysis import calm, open_page, words


def test_without_anything_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    app = calm(open_page(monkeypatch, workspace.root, "reports"))
    assert "Nothing to report yet" in words(app)
    assert [b.label for b in app.button] == ["Audit predictions"]


def test_the_preview_is_the_report_of_the_chosen_runs(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    fake = fake_workspace(tmp_path / "w", patients=200, epochs=3, seeds=1, unsettled=False)
    app = calm(open_page(monkeypatch, fake.workspace.root, "reports"))
    first = list(app.multiselect(key="view_runs").value)
    assert not app.get("iframe") and not app.get("download_button"), "nothing is written before it is asked for"
    app.button(key="write-report").click()
    calm(app.run())
    [preview] = app.get("iframe")
    html = preview.proto.srcdoc
    assert "Comparison of" in html
    assert "Fake clinic" in html
    assert "<script" not in html
    assert len(app.get("download_button")) == 4
    chosen = app.multiselect(key="view_runs")
    chosen.set_value(chosen.value[:1])
    calm(app.run())
    assert "1 run on Fake clinic by sex: ERM (fused)" in words(app) and not app.get("iframe")
    app.button(key="write-report").click()
    calm(app.run())
    assert "Comparison of 1 run on Fake clinic" in app.get("iframe")[0].proto.srcdoc
    app.multiselect(key="view_runs").set_value(first)
    calm(app.run())
    assert app.get("iframe")[0].proto.srcdoc == html, "a report that is written already is there at once"
    app.segmented_control(key="report-kind").set_value("Audit of predictions")
    calm(app.run())
    assert "No audit yet" in words(app)
