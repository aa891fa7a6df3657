from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from core.errors import UserError
from core.runs.folder import RunFolder
from core.store import Store, slots
from core.workspace import Workspace
from tests.factories import FakeWorkspace, fake_cohort, fake_run, fake_workspace
from tests.store.conftest import assert_same, contents


def test_frames_say_what_the_folders_say(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        runs = store.runs()
        assert set(runs["run_id"]) == set(fake.run_ids)
        assert runs["status"].value_counts().to_dict() == {"done": len(fake.run_ids) - 4, "failed": 1, "cancelled": 1, "running": 1, "queued": 1}
        assert store.runs(status="failed")["reason"].tolist() == ["killed by signal 9 (SIGKILL)"]
        assert store.runs(cohort_id="none").empty and len(store.runs(status=["done", "queued"])) == len(fake.run_ids) - 3
        run_id = fake.run_ids[-5]
        folder = store.folder(run_id)
        named = folder.read_spec()
        row = runs.set_index("run_id").loc[run_id]
        assert (row["key"], row["label"], row["seed"]) == (named["key"], named["label"], named["spec"]["seed"])
        assert json.loads(row["budget"]) == named["spec"]["budget"]
        status = folder.read_status()
        assert row["seconds"] == pytest.approx(status["finished"] - status["started"])
        assert row["created"] == pd.Timestamp(status["created"], unit="s")
        wide = pd.read_parquet(folder.predictions)
        got = store.predictions(run_id)
        assert got["sample_id"].tolist() == wide["sample_id"].tolist() and got["score"].tolist() == wide["score"].tolist()
        assert got["prediction"].isna().all() and str(got["prediction"].dtype) == "Int8"
        test = store.predictions(run_id, "test")
        assert test["sample_id"].tolist() == wide.loc[wide["split"] == "test", "sample_id"].tolist()
        scores = store.modality_scores(run_id, "test")
        assert set(scores["kind"]) == {"unimodal", "without"} and len(scores) == len(test) * 2 * len(fake.cohort.modalities)
        one = scores[(scores["kind"] == "without") & (scores["modality"] == "image")]
        assert one["score"].tolist() == wide.loc[wide["split"] == "test", "without__image"].tolist()


def test_epochs_and_telemetry_are_those_of_the_journal(fake: FakeWorkspace) -> None:
    run_id = fake.run_ids[3]
    with Store.open(fake.workspace) as store:
        lines = [json.loads(line) for line in store.folder(run_id).journal.read_text(encoding="utf-8").splitlines()]
        epochs = store.epochs([run_id])
        assert epochs["epoch"].tolist() == [line["epoch"] for line in lines if line["event"] == "epoch"]
        assert epochs["validation_loss"].tolist() == [line["validation_loss"] for line in lines if line["event"] == "epoch"]
        said = [row for line in lines if line["event"] == "telemetry" for row in line["rows"]]
        assert len(store.telemetry([run_id])) == len(said)
        phi = store.telemetry([run_id], ["contribution.phi"])
        last = phi[(phi["epoch"] == 3) & (phi["modality"] == "image") & (phi["group"] == "female")].iloc[0]
        told = next(r for r in lines[-2]["rows"] if r["name"] == "contribution.phi" and r["modality"] == "image" and r["group"] == "female")
        assert (last["value"], last["low"], last["high"], last["n"]) == (told["value"], told["low"], told["high"], told["n"])
        families = {name.split(".")[0] for name in store.telemetry(fake.run_ids, ["method.", "effect."])["name"]}
        assert families == {"method", "effect"}
        assert store.telemetry([run_id], []).empty and store.telemetry([]).empty


def test_attributes_keep_the_cohorts_rows_and_its_gaps(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        frame = store.attributes(fake.cohort.cohort_id, "sex")
        table = fake.cohort.table
        assert frame["sample_id"].tolist() == table["sample_id"].tolist()
        assert frame["value"].isna().tolist() == table["sex"].isna().tolist()
        assert frame["value"].dropna().tolist() == table["sex"].dropna().tolist()
        cohort = store.cohorts().iloc[0]
        assert (cohort["n"], cohort["modalities"], cohort["attributes"]) == (len(table), fake.cohort.modalities, fake.cohort.attributes)
        assert len(store.attributes(fake.cohort.cohort_id)) == len(table) * len(fake.cohort.attributes)


def test_a_deleted_store_is_rebuilt_the_same(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        before, file = contents(store), store.database
    file.unlink()
    with Store.open(fake.workspace) as store:
        assert_same(before, contents(store))
        assert store.rebuild() == len(fake.run_ids)
        assert_same(before, contents(store))
    with Store.open(fake.workspace) as store:
        assert_same(before, contents(store))
        assert store.refresh() == 0


def test_only_what_is_new_is_read(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        assert store.refresh() == 0
        added = fake_run(fake.workspace, fake.cohort, method="erm", seed=77, epochs=3)
        assert store.refresh() == 1
        assert added in set(store.runs()["run_id"])
        folder = RunFolder(fake.workspace.runs / added)
        folder.update_status(reason="changed")
        assert store.refresh() == 1 and store.runs().set_index("run_id")["reason"][added] == "changed"


def test_news_are_counted_only_when_there_are_some(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store:
        before = store.revision
        store.refresh()
        assert store.revision == before
        added = fake_run(fake.workspace, fake.cohort, method="erm", seed=79, epochs=1)
        store.refresh()
        after_run = store.revision
        fake_cohort(fake.workspace, patients=60, name="Another")
        store.refresh()
        after_cohort = store.revision
        shutil.rmtree(fake.workspace.runs / added)
        store.refresh()
        assert before < after_run < after_cohort < store.revision


def test_a_run_that_started_afresh_shows_only_its_new_journal(fake: FakeWorkspace) -> None:
    run_id = fake.run_ids[2]
    with Store.open(fake.workspace) as store:
        folder = store.folder(run_id)
        before = store.predictions_fingerprint(run_id)
        assert len(store.epochs([run_id])) == 5
        folder.predictions.unlink()
        folder.journal.write_text('{"event": "start", "time": 9}\n{"event": "epoch", "time": 10, "epoch": 0, "train_loss": 1.0}\n', encoding="utf-8")
        store.refresh()
        assert store.epochs([run_id])["train_loss"].tolist() == [1.0]
        assert store.telemetry([run_id]).empty and store.predictions(run_id).empty and store.modality_scores(run_id).empty
        assert store.predictions_fingerprint(run_id) != before


def test_rows_of_a_removed_run_or_cohort_go(fake: FakeWorkspace) -> None:
    run_id = fake.run_ids[0]
    with Store.open(fake.workspace) as store:
        shutil.rmtree(fake.workspace.runs / run_id)
        shutil.rmtree(fake.workspace.cohorts / fake.cohort.cohort_id)
        store.refresh()
        assert run_id not in set(store.runs()["run_id"]) and store.epochs([run_id]).empty and store.predictions(run_id).empty
        assert store.cohorts().empty and store.attributes(fake.cohort.cohort_id).empty
        with pytest.raises(KeyError):
            store.folder(run_id)


def test_a_run_with_a_damaged_status_is_shown_as_failed(fake: FakeWorkspace) -> None:
    (fake.workspace.runs / fake.run_ids[0] / "status.json").write_text("{", encoding="utf-8")
    with Store.open(fake.workspace) as store:
        row = store.runs().set_index("run_id").loc[fake.run_ids[0]]
        assert row["status"] == "failed" and str(row["reason"]).startswith("damaged: status.json")


def test_two_programs_on_one_workspace_show_the_same(fake: FakeWorkspace) -> None:
    code = (
        "import sys; from core.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    print(store.database.name, len(store.runs()), flush=True); sys.stdin.readline()\n"
        "    store.refresh(); print(len(store.runs()), len(store.predictions(sys.argv[2])), flush=True)"
    )
    with Store.open(fake.workspace) as ours:
        added = fake_run(fake.workspace, fake.cohort, method="erm", seed=78, status="queued")
        command = [sys.executable, "-c", code, str(fake.workspace.root), added]
        theirs = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert theirs.stdout is not None
        assert theirs.stdout.readline() == f"store-2.duckdb {len(fake.run_ids) + 1}\n"
        fake_run(fake.workspace, fake.cohort, method="erm", seed=78, status="done")
        ours.refresh()
        answer, _ = theirs.communicate("\n")
        assert answer.split() == [str(len(ours.runs())), str(len(ours.predictions(added)))]
        assert len(ours.predictions(added)) == len(fake.cohort.table)
    with Store.open(fake.workspace) as again:
        assert again.database.name == "store.duckdb", "the lock goes with the process"


def test_kill_9_of_the_owner_frees_the_store_and_loses_nothing(fake: FakeWorkspace) -> None:
    code = "import sys; from core.store import Store; store = Store.open(sys.argv[1]); print(store.database.name, flush=True); sys.stdin.read()"
    owner = subprocess.Popen([sys.executable, "-c", code, str(fake.workspace.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None and owner.stdout.readline() == "store.duckdb\n"
    owner.kill()
    owner.communicate()
    with Store.open(fake.workspace) as store:
        assert store.database.name == "store.duckdb" and len(store.runs()) == len(fake.run_ids)


def test_all_places_taken_is_a_plain_message(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SLOTS", 1)
    with Store.open(workspace), pytest.raises(UserError, match="already use the workspace"):
        Store.open(workspace)


@pytest.mark.parametrize("harm", ["garbage", "version"])
def test_a_cache_that_cannot_be_used_is_built_again(fake: FakeWorkspace, harm: str) -> None:
    with Store.open(fake.workspace) as store:
        before, file = contents(store), store.database
    if harm == "garbage":
        file.write_bytes(b"this is no database" * 1000)
    else:
        file.with_suffix(".json").write_text('{"schema": 0, "duckdb": "1.0.0"}', encoding="utf-8")
    with Store.open(fake.workspace) as store:
        assert_same(before, contents(store))


def test_many_threads_read_what_is_there_while_runs_come_in(tmp_path: Path) -> None:
    fake = fake_workspace(tmp_path, runs=4, patients=100, epochs=2, unsettled=False)
    with Store.open(fake.workspace) as store:
        expected = {run_id: store.predictions(run_id)["score"].tolist() for run_id in fake.run_ids}

        def ask(number: int) -> bool:
            run_id = fake.run_ids[number % len(fake.run_ids)]
            if number % 10 == 0:
                fake_run(fake.workspace, fake.cohort, seed=500 + number, epochs=1)
                store.refresh()
            return store.predictions(run_id)["score"].tolist() == expected[run_id]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(80)))
        assert len(store.runs()) == 4 + 8


def test_what_is_cached_is_computed_once_and_kept(fake: FakeWorkspace) -> None:
    calls: list[int] = []

    def compute() -> dict[str, float | None]:
        calls.append(1)
        return {"auc": 0.8, "gap": None}

    with Store.open(fake.workspace) as store:
        assert store.cached("kind", "a", compute) == store.cached("kind", "a", compute) == {"auc": 0.8, "gap": None}
        store.cached("kind", "b", compute)
        store.cached("other", "a", compute)
        with pytest.raises(ValueError):
            store.cached("kind", "nan", lambda: float("nan"))
    with Store.open(fake.workspace) as store:
        store.cached("kind", "a", compute)
    assert len(calls) == 3


def test_names_with_quotes_and_commas_are_only_names(workspace: Workspace) -> None:
    odd = "x'; DROP TABLE runs; --"
    cohort = fake_cohort(workspace, patients=60, modalities=(odd, 'b"c'), attributes={'a,"b"': {"1": 0.5, odd: 0.5}}, name=odd)
    run_id = fake_run(workspace, cohort, method="unimodal", settings={"modality": odd})
    with Store.open(workspace) as store:
        assert store.runs()["label"].tolist() == [f"Unimodal: {odd}"]
        assert set(store.attributes(cohort.cohort_id, 'a,"b"')["value"].dropna()) == {"1", odd}
        assert set(store.modality_scores(run_id)["modality"]) == {odd}
        assert store.runs(cohort_id=odd).empty and store.telemetry([odd]).empty


@pytest.mark.parametrize(("modalities", "groups"), [(("a",), 1), (("a", "b", "c"), 3), (("a", "b", "c", "d"), 5)])
def test_any_number_of_modalities_and_groups(workspace: Workspace, modalities: tuple[str, ...], groups: int) -> None:
    cohort = fake_cohort(workspace, patients=200, modalities=modalities, attributes={"site": {f"g{i}": 1.0 for i in range(groups)}})
    run_id = fake_run(workspace, cohort)
    with Store.open(workspace) as store:
        frame = store.telemetry([run_id], ["contribution.ratio"])
        assert set(frame["modality"]) == set(modalities) and set(frame["group"].dropna()) == {f"g{i}" for i in range(groups)}


def test_nothing_is_installed_or_loaded_from_elsewhere(fake: FakeWorkspace) -> None:
    with Store.open(fake.workspace) as store, pytest.raises(duckdb.Error):
        store._cursor().execute("SELECT * FROM sqlite_scan('x', 'y')")
