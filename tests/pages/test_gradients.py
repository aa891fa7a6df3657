"""The Gradients page: shares of conflict as recorded, one brush for all columns."""

from __future__ import annotations

import pandas as pd
import pytest

from core.charts.gradients import measured_epochs
from core.charts.text import percent
from core.methods.source import cards
from core.store import Store
from tests.factories import FakeWorkspace
from tests.pages.analysis import calm, drawn, open_page, specs, words


def _two(fake: FakeWorkspace) -> list[str]:
    return [run for run in fake.run_ids if run.startswith(("erm-s1-", "multifair-s1-"))]


def test_title_reads_the_recorded_share(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _two(fake)
    app = calm(open_page(monkeypatch, fake.workspace.root, "gradients", runs=",".join(runs)))
    with Store.open(fake.workspace) as store:
        rows = store.telemetry(runs[:1], ["conflict.fused"])
    share = rows[(rows["stat"] == "share_negative") & (rows["epoch"] >= 0)]
    worst = share.groupby("modality")["value"].mean().max()
    app.slider(key="epochs").set_value((1, 4)).run()
    assert f"{percent(worst)} of steps" in words(calm(app))


def test_slider_sets_the_brush_of_every_column(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "gradients", runs=",".join(_two(fake))))
    app.slider(key="epochs").set_value((1, 2)).run()
    brushes = [param["value"]["x"] for spec in specs(calm(app)) for param in spec.get("params", [])]
    assert len(brushes) == 2
    assert all(brush == [0.6, 2.4] for brush in brushes)


def test_method_without_a_factor_says_so(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm(open_page(monkeypatch, fake.workspace.root, "gradients", runs=_two(fake)[0]))
    said = [row.get("words") for rows in drawn(app) for row in rows]
    assert ("this method applies no factor" in said) == _two(fake)[0].startswith("erm")


def test_the_first_screen_is_for_readers_who_are_no_specialists(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a conflict is, how much there is of it, what the method does, and what its groups get; no cosine in it."""
    run = next(run for run in fake.run_ids if run.startswith("erm-s1-"))
    app = calm(open_page(monkeypatch, fake.workspace.root, "gradients", runs=run, attribute="sex"))
    with Store.open(fake.workspace) as store:
        share = store.telemetry([run], ["conflict.fused"]).query("stat == 'share_negative' and epoch >= 0").groupby("modality")["value"].mean()
    [row] = app.table[0].value.map(lambda said: said.replace("\\", "")).to_dict("records")
    assert row["Steps in conflict"] == f"{percent(share.max())}: {share.idxmax()}"
    assert row["More than chance?"] == ("yes" if share.max() > 0.5 else "no")
    assert row["What the method does"] == cards()["erm"].summary
    assert "only more than half is more than chance" in words(app)


def test_the_brush_begins_with_measured_epochs() -> None:
    """It began with the last three epochs, in which a method that measures every fifth has measured nothing."""
    rows = pd.DataFrame({"name": "conflict.fused", "epoch": range(12), "value": [0.1 if epoch % 5 == 0 else None for epoch in range(12)]})
    assert measured_epochs(rows) == (1, 11)
    assert measured_epochs(rows.assign(value=0.2)) == (10, 12)
    assert measured_epochs(rows.assign(value=None)) == (10, 12)
