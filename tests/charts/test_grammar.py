"""The words of the charts: they say what Altair says. That whole charts come out the same is tested beside each chart."""

from __future__ import annotations

import altair
import pandas as pd
import pytest

from core.charts import grammar
from core.charts.rows import records

FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


def test_the_schema_is_of_altairs_major_version() -> None:
    assert grammar.SCHEMA.partition(".io")[2].partition(".")[0] == altair.SCHEMA_URL.partition(".io")[2].partition(".")[0]


@pytest.mark.parametrize(
    "say",
    [
        lambda alt: alt.datum.a == None,  # noqa: E711
        lambda alt: alt.datum.a != None,  # noqa: E711
        lambda alt: alt.datum.a < 0.5,
        lambda alt: alt.datum.a >= 2,
        lambda alt: ~alt.datum.known,
        lambda alt: alt.datum.b == "not enough data",
    ],
)  # fmt: skip
def test_expressions(say) -> None:
    ours, theirs = (alt.Chart(FRAME).mark_point().transform_filter(say(alt)).to_dict() for alt in (grammar, altair))
    assert ours["transform"][0]["filter"].replace('"', "'") == theirs["transform"][0]["filter"]


def test_a_drawing_is_never_changed_by_what_is_made_of_it() -> None:
    base = grammar.Chart(FRAME).mark_point().encode(x="a:Q")
    before = base.to_dict()
    base.encode(y="b:N").properties(width=3).transform_filter("true")
    both = base + base
    again = both + base
    assert base.to_dict() == before and len(both.layer) == 2 and len(again.layer) == 3


def test_a_frame_that_layers_share_is_sent_once() -> None:
    base = grammar.Chart(FRAME).mark_point().encode(x="a:Q")
    spec, frames = (base + base.mark_line() + grammar.Chart(FRAME.copy()).mark_rule()).parts()
    assert list(frames) == ["data-0", "data-1"]
    assert [layer["data"]["name"] for layer in spec["layer"]] == ["data-0", "data-0", "data-1"]
    assert records(frames["data-0"]) == [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]


def test_a_selection_belongs_to_the_first_layer() -> None:
    pick = grammar.selection_point("cell", fields=["b"], on="click")
    layers = grammar.Chart(FRAME).mark_rect().encode(x="a:Q") + grammar.Chart(FRAME).mark_point().encode(x="a:Q")
    spec = layers.add_params(pick).to_dict()
    assert spec["params"] == [{"name": "cell", "select": {"type": "point", "fields": ["b"], "on": "click"}, "views": [spec["layer"][0]["name"]]}]
    altair.Chart.from_dict(spec)


def test_layers_share_what_is_encoded_for_all_of_them() -> None:
    base = grammar.Chart(FRAME).encode(x="a:Q")
    spec = (base.mark_point() + base.mark_text()).encode(y="b:N").to_dict()
    assert spec["encoding"] == {"y": {"field": "b", "type": "nominal"}}
    altair.Chart.from_dict(spec)


def test_a_word_that_is_not_there_is_an_error_and_no_property() -> None:
    with pytest.raises(AttributeError):
        grammar.Chart(FRAME).mark_image()


def test_what_is_undefined_is_left_out_and_none_is_null() -> None:
    assert grammar.Axis(title=None, values=grammar.Undefined) == {"title": None}
