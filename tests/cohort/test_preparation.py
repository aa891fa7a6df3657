"""Merged groups and bands: as said, once, and never by themselves."""

from __future__ import annotations

import pytest

from core.cohort.manifest import read_manifest, write_manifest
from core.cohort.preparation import prepared
from core.errors import UserError
from tests.cohort.helpers import roles, text_table

TABLE = text_table({"sex": ["F", "f", "M", "unknown"], "age": [17, 18, 64.5, None]})


def test_merges_and_bands_as_said():
    merge, bins = ("sex=F:f", "sex=:unknown"), ("age=18,65",)
    once = prepared(TABLE, merge, bins)
    assert once["sex"].tolist() == ["F", "F", "M", None]
    assert once["age band"].tolist() == ["<18", "18 to <65", "18 to <65", None]
    assert once["age"].tolist() == TABLE["age"].tolist()
    assert prepared(once, (), bins).equals(once)
    assert prepared(TABLE).equals(TABLE)


@pytest.mark.parametrize(
    ("merge", "bins", "message"),
    [
        (("sex=F:g",), (), "never holds 'g'"),
        (("race=a:b",), (), "race"),
        ((), ("age",), "increasing edges"),
        ((), ("age=65,18",), "increasing edges"),
        ((), ("bmi=25",), "'bmi' is not in the table"),
        ((), ("sex=1",), "holds no numbers"),
    ],
)
def test_what_does_not_fit_is_refused(merge: tuple[str, ...], bins: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        prepared(TABLE, merge, bins)


def test_a_manifest_keeps_them(tmp_path):
    said = roles(merge=("sex=F:f",), bins=("age=18,65",), uncertain="negative", blank="negative")
    write_manifest(tmp_path / "manifest.toml", said, "clinic")
    assert read_manifest(tmp_path / "manifest.toml") == (said, "clinic")
    # Roles that use none of this keep the identity that they had before it existed.
    assert not {"merge", "bins", "uncertain", "blank"} & set(roles().to_dict())
