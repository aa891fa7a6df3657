"""axe finds nothing on any page, light or dark, but what Streamlit and Vega draw themselves."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from tests.browser.screenshots import PAGES
from tests.browser.widgets import visit
from tests.factories import FakeWorkspace

ANALYSIS = ("modalities", "gradients", "groups", "compare")
RULES = files("axe_playwright_python") / "axe.min.js"
THEIRS = {
    "list": "Streamlit's navigation wraps its groups",
    "listitem": "the same",
    "svg-img-alt": "Vega names a layer of marks that is empty or part of a brush",
    "presentation-role-conflict": "Streamlit's upload box",
    "scrollable-region-focusable": "Streamlit's tables scroll by keys of their own",
}
RUN = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .map(found => [found.id, found.nodes.slice(0, 3).map(node => node.html.slice(0, 200) + ' | ' + node.failureSummary.slice(0, 300))])"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_of_ours(page: Any, served: tuple[str, FakeWorkspace], theme: str) -> None:
    address, fake = served
    page.emulate_media(color_scheme=theme)
    runs = [run for run in fake.run_ids if "-s1-" in run][:3]
    problems = []
    for name in PAGES:
        visit(page, address, "" if name == "overview" else name, f"?attribute=sex&runs={','.join(runs)}", chart=name in ANALYSIS)
        page.evaluate(RULES.read_text(encoding="utf-8"))
        problems += [(name, rule, nodes) for rule, nodes in page.evaluate(RUN) if rule not in THEIRS]
    assert not problems


def test_axe_would_find_small_print_without_contrast(page: Any, served: tuple[str, FakeWorkspace]) -> None:
    visit(page, served[0], "groups", "?attribute=sex")
    page.add_style_tag(content="[data-testid=stCaptionContainer] p { color: #aaa !important; }")
    page.evaluate(RULES.read_text(encoding="utf-8"))
    assert "color-contrast" in {rule for rule, _ in page.evaluate(RUN)}
