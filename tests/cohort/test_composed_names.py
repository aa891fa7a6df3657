"""Files named by several columns together are found; nothing is made up where one column names them, or none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cohort.composed_names import add_composed_names
from core.cohort.guess import guess_roles
from core.cohort.sources import FilesSource
from tests.cohort.helpers import text_table

N = 24
TABLE = text_table(
    {
        "age": [20 + i for i in range(N)],
        "subject": [f"S{i // 4}" for i in range(N)],
        "study": [i // 2 % 2 + 1 for i in range(N)],
        "image": [i % 2 + 1 for i in range(N)],
        "label": [i // 4 % 2 for i in range(N)],
    }
)


@pytest.mark.parametrize("rule", ["{}/{}/{}.png", "{}_{}_{}.jpg", "scans/{}-{}-{}.png"])
def test_a_rule_of_three_columns(rule: str):
    files = [rule.format(*row) for row in zip(TABLE["subject"], TABLE["study"], TABLE["image"], strict=True)]
    table = add_composed_names(TABLE, FilesSource({name: Path("nowhere") for name in files}))
    (added,) = set(table.columns) - set(TABLE.columns)
    guess = guess_roles(table, FilesSource({name: Path("nowhere") for name in files}))
    (modality,) = [m for m in guess.roles.modalities if m.kind == "image"]
    assert modality.columns == (added,) and added.replace("_", "/").replace("-", "/") == "subject/study/image"


@pytest.mark.parametrize(
    "files",
    [
        [],
        [f"{i}.png" for i in range(N)],
        [f"S{i // 4}/{i}.png" for i in range(N)],
    ],
)
def test_nothing_is_made_up(files: list[str]):
    assert add_composed_names(TABLE, FilesSource({name: Path("nowhere") for name in files})).equals(TABLE)
    named = TABLE.assign(path=[f"S{i // 4}/{i}.png" for i in range(N)])
    assert add_composed_names(named, FilesSource({f"S{i // 4}/{i}.png": Path("nowhere") for i in range(N)})).equals(named)
