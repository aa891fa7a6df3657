"""Which tests run which functions of core/metrics and core/audit, and how long each takes: a pytest plugin that sees every call."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest


class CoverageMap:
    """Functions as `file:name` of what is called, by test; a function or method stands for all that is defined in it."""

    def __init__(self, root: Path, folders: tuple[str, ...], out: Path) -> None:
        self.root, self.out = str(root) + "/", out
        self.folders = tuple(f"{self.root}{folder}/" for folder in folders)
        self.seen: set[str] = set()
        self.tests: dict[str, dict[str, object]] = {}

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if code.co_filename.startswith(self.folders):
            self.seen.add(f"{code.co_filename.removeprefix(self.root)}:{_outermost(code.co_qualname)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.seen, start = set(), time.process_time()
        sys.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.tests[item.nodeid] = {"calls": sorted(self.seen), "seconds": round(time.process_time() - start, 3)}

    def pytest_sessionfinish(self) -> None:
        self.out.write_text(json.dumps(self.tests), encoding="utf-8")


def _outermost(qualified: str) -> str:
    """Name of the function or method that holds what is called; empty for code of a module or class."""
    parts = qualified.split(".<locals>")[0].split(".")
    return "" if parts[-1].startswith("<") else parts[-1]
