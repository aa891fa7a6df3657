"""One browser and one dashboard on a made-up workspace for all browser tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.locks import holding
from core.runs.dead_runs import worker_lock
from core.store import Store
from core.workspace import Workspace
from tests.browser.helpers import ARGUMENTS, Watch, browser_path, dashboard
from tests.factories import FakeWorkspace, fake_workspace


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder drive a browser; without one they say so and are skipped."""
    missing = browser_path() is None
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if missing:
                item.add_marker(pytest.mark.skip(reason="no Chrome or Chromium on this machine"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, FakeWorkspace]]:
    """Address of a dashboard and the made-up workspace that it serves, with a disparity that 120 test patients show. Tests only look at it."""
    fake = fake_workspace(tmp_path_factory.mktemp("served") / "workspace", patients=600, epochs=5, unsettled=False, pixels=16, strengths=(2.0, 0.0))
    with dashboard(fake.workspace.root) as address:
        yield address, fake


@pytest.fixture(scope="session")
def store(served: tuple[str, FakeWorkspace]) -> Iterator[Store]:
    """The same workspace as core sees it."""
    with Store.open(served[1].workspace) as opened:
        yield opened


@contextmanager
def idle_queue(workspace: Workspace) -> Iterator[None]:
    """Nothing is trained meanwhile: the place of the queue's worker is taken."""
    with holding(worker_lock(workspace)):
        yield


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; the test fails when it logged an error or asked another machine for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened, watch = context.new_page(), Watch()
    watch.attach(opened)
    yield opened
    context.close()
    assert not watch.problems, watch.problems
