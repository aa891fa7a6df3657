"""Fixtures that every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from core.workspace import ENVIRONMENT_VARIABLE, Workspace
from tests.factories import FakeWorkspace, fake_workspace

# How fast examples are made says something of the machine and its load, and nothing of the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def no_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ever touches the user's own workspace."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path_factory.getbasetemp() / "home"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def fake(tmp_path: Path) -> FakeWorkspace:
    """A workspace with one small cohort, finished runs and one run of every other status."""
    return fake_workspace(tmp_path / "workspace", patients=300, epochs=4)
