"""The Reports page: what is previewed and downloaded is core's report of the chosen runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.api.saved_audits import make
from core.audit import AuditOptions, Mapping
from core.report.answers import saved_answers
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
    assert [b.proto.label for b in app.get("download_button")] == ["HTML", "PDF", "Everything (zip)", "LaTeX", "JSON"]
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


def test_an_audit_is_reported_with_the_answers_of_people(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, tmp_path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    frame = pd.DataFrame({"y": y, "p": np.clip(0.3 * y + rng.random(400) * 0.7, 0, 1), "sex": rng.choice(["F", "M"], 400)})
    frame.to_csv(tmp_path / "p.csv", index=False)
    made = make(workspace, tmp_path / "p.csv", "p.csv", Mapping("y", ("p",), ("sex",)), AuditOptions(bootstrap=0, curves=True))
    app = calm(open_page(monkeypatch, workspace.root, "reports"))
    app.segmented_control(key="report-kind").set_value("Audit of predictions")
    calm(app.run())
    app.text_area(key=f"answer-{made.audit_id}-funding").set_value("the city of <b>Bern</b>")
    next(b for b in app.button if b.label == "Keep the answers").click()
    calm(app.run())
    assert saved_answers(made.folder) == {"funding": "the city of <b>Bern</b>"}
    app.button(key="write-report").click()
    calm(app.run())
    html = app.get("iframe")[0].proto.srcdoc
    assert "the city of &lt;b&gt;Bern&lt;/b&gt;" in html
    assert "Counts below 11" not in html, "on screen nothing is hidden"
    labels = [b.proto.label for b in app.get("download_button")]
    assert labels[-2:] == ["Model card", "CHAI card"] and app.toggle(key="report-hide").value
