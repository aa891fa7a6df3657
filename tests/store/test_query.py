"""SQL on the cache: what it answers, and everything that it must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.errors import UserError
from core.store.query import query, tables
from core.workspace import Workspace

REFUSED = [
    "insert into runs (run_id) values ('x')",
    "delete from runs",
    "drop table runs",
    "create table mine as select 1",
    "create temp table mine as select 1",
    "copy runs to '{file}.csv'",
    "attach '{file}.db' as other",
    "attach ':memory:' as other",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "reset enable_external_access",
    "pragma enable_external_access = true",
    "call dbgen(sf = 1)",
    "export database '{file}'",
    "select 1; drop table runs",
    "select * from read_csv('{file}')",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_json('{file}')",
    "select * from read_parquet('{file}')",
    "select * from '{file}'",
    "select * from glob('{folder}/*')",
    "with w as (select * from read_csv_auto('{file}')) select * from w",
    "explain analyze copy runs to '{file}.csv'",
    "select * from secret_frame",
    "select",
    "",
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("workspace"))


@pytest.mark.parametrize("sql", REFUSED)
def test_what_changes_or_reaches_out_is_refused(workspace: Workspace, tmp_path: Path, sql: str) -> None:
    import pandas as pd

    secret_frame = pd.DataFrame({"patient": [1]})  # noqa: F841 -- what DuckDB would find by its name
    file = tmp_path / "data.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError) as error:
        query(workspace, sql.format(file=file, folder=tmp_path))
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv"]


def test_a_select_answers_and_the_tables_are_listed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert query(workspace, "select count(*) as n from runs")["n"].tolist() == [0]
    found = {table.name: table for table in tables(workspace)}
    assert {"runs", "epochs", "telemetry", "alerts", "predictions", "cohorts", "attributes"} == set(found)
    assert found["telemetry"].columns["modality_b"] == "VARCHAR" and found["telemetry"].rows == 0
    root = str(workspace.root)
    assert main(["query", "select 1 as one, null as gone", "--json", "--workspace", root]) == 0
    assert '"one": 1' in capsys.readouterr().out
    odd = "select [1, 2] as l, 'inf'::double as i, date '2020-01-02' as d, interval 1 day as v, 1.5::decimal(4, 1) as c, {'a': 1} as s, "
    odd += "timestamp '2020-01-02' as t, true as b"
    assert main(["query", odd, "--json", "--workspace", root]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["l"] == "[1 2]" and told["i"] is None and told["c"] == 1.5 and told["t"] == "2020-01-02T00:00:00Z" and told["b"] is True
    assert main(["query", odd, "--csv", "--workspace", root]) == 0
    assert capsys.readouterr().out.startswith("l,i,d,v,c,s,t,b\n")
    assert main(["query", "--tables", "--workspace", root]) == 0
    assert "runs (0 rows): run_id varchar" in capsys.readouterr().out
    for wrong in (["query", "--workspace", root], ["query", "drop table runs", "--workspace", root]):
        assert main(wrong) == 2 and len(capsys.readouterr().err.strip().splitlines()) == 1
