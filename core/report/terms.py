"""The glossary as the last section of a report."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from core.charts.glossary import GLOSSARY
from core.report.contents import WORDS
from core.report.document import Section, TableBlock


def glossary_section(terms: Iterable[str]) -> Section:
    """The terms that a report uses, one line each."""
    chosen = [GLOSSARY[key] for key in terms]
    frame = pd.DataFrame({"term": [t.name for t in chosen], "in words": [t.line for t in chosen]})
    return Section(WORDS, "", (TableBlock("glossary", "Terms", frame),))
