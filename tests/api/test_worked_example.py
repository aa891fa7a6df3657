"""The worked example runs as it is written."""

from __future__ import annotations

import doctest
from pathlib import Path

from core.cohort.sample import sample_folder
from core.runs.sample_runs import add_shipped_runs
from core.workspace import Workspace

EXAMPLE = Path(__file__).with_name("worked_example.md")


def test_the_worked_example(tmp_path: Path) -> None:
    home = tmp_path / "home"
    add_shipped_runs(Workspace.open(home))
    names = {"sample": sample_folder(), "home": home}
    failed, tried = doctest.testfile(str(EXAMPLE), module_relative=False, globs=names)
    assert (failed, tried > 15) == (0, True)
