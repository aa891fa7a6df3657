"""Trainings and what they reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.api.audits import AuditResult, ModelComparison
from core.api.cohorts import CohortResult, cohort_of, workspace_of
from core.api.result import Result, drawn
from core.errors import UserError
from core.results.run_tables import RunTable, run_table
from core.store import Store
from core.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    import altair
    import pandas as pd

    from core.audit.options import AuditOptions
    from core.charts.figure import Figure
    from core.cohort.cohort import Cohort
    from core.runs.queue import RunHandle


class RunsResult(Result):
    """Runs of a workspace. run_ids : their names, in the order given. handles : the answers to a request, where one was made."""

    def __init__(self, workspace: Workspace, run_ids: Sequence[str], attribute: str | None = None, handles: Sequence[RunHandle] = ()) -> None:
        self.workspace, self.run_ids, self.attribute, self.handles = workspace, tuple(run_ids), attribute, tuple(handles)

    def pooled_handles(self) -> list[RunHandle]:
        """The pooled runs of a cross-validation, beside `handles`, which are of its folds."""
        from core.runs.queue import RunHandle

        made = {handle.run_id for handle in self.handles}
        if not made or made & set(self.run_ids):
            return []
        with self._runs() as (_, runs):
            return [RunHandle(row["run_id"], row["key"], row["status"], cached=all(h.cached for h in self.handles)) for row in runs.to_dict("records")]

    @contextmanager
    def _runs(self) -> Iterator[tuple[Store, pd.DataFrame]]:
        with Store.open(self.workspace) as store:
            runs = store.runs()
            place = {run_id: index for index, run_id in enumerate(self.run_ids)}
            chosen = runs[runs["run_id"].isin(place)]
            yield store, chosen.sort_values("run_id", key=lambda ids: ids.map(place), ignore_index=True)

    @property
    def headline(self) -> str:
        from core.charts.text import plural

        with self._runs() as (_, runs):
            counts = runs["status"].value_counts()
        return f"{plural(len(runs), 'run')}: " + (", ".join(f"{n} {status}" for status, n in counts.items()) or "none")

    def table(
        self,
        name: RunTable = "summary",
        attribute: str | None = None,
        *,
        series: Iterable[str] | None = None,
        reference: str | None = None,
        measure: str = "es_auc",
    ) -> pd.DataFrame:
        """A tidy table; see `core.results.run_tables.run_table`."""
        with self._runs() as (store, runs):
            return run_table(store, runs, name, attribute or self.attribute, series=series, reference=reference, measure=measure)

    def audit(self, attributes: str | Sequence[str] | None = None, options: AuditOptions | None = None) -> AuditResult:
        """The audit of these runs' test predictions; several runs are compared with the first one as well.

        Raises
        ------
        UserError
            For runs that are not finished, or are of several cohorts.
        """
        from core.audit.comparison.compare_models import with_comparisons
        from core.audit.engine import audit
        from core.results.predictions import from_run

        if not self.run_ids:
            raise UserError("there is no run to audit")
        with self._runs() as (store, _):
            predictions = from_run(store, self.run_ids, attributes if attributes is not None else self.attribute)
        found = audit(predictions, options)
        return AuditResult(found) if len(self.run_ids) == 1 else ModelComparison(with_comparisons(found, predictions))

    def figure(self, attribute: str | None = None) -> Figure:
        """AUC by group with intervals, a panel per run."""
        from core.charts.audit_forest import metric_forest
        from core.charts.figure import nothing
        from core.results.group_tables import group_performance

        with self._runs() as (store, runs):
            done = runs[runs["status"] == "done"]
            chosen = attribute or self.attribute or next((a for a in done["attribute"] if a), None)
            if done.empty or chosen is None:
                return nothing("runs", "No finished run with a sensitive attribute: there is nothing to draw yet.")
            frame = group_performance(store, done["run_id"].tolist(), chosen)
        frame = frame.assign(model=frame["run_id"], estimable=frame["value"].notna())
        return metric_forest(frame[frame["group"].notna()], frame[frame["group"].isna()], chosen, "auc")

    def chart(self, attribute: str | None = None) -> altair.TopLevelMixin:
        """`figure` as an Altair chart."""
        return drawn(self.figure(attribute))

    def to_dict(self) -> dict[str, Any]:
        from core.report.tables import records

        with self._runs() as (store, runs):
            return {
                "runs": records(runs[["run_id", "key", "method", "label", "seed", "attribute", "status", "cohort_id"]]),
                "summary": records(run_table(store, runs, "summary", self.attribute)),
            }


def train_methods(
    cohort: str | Cohort | CohortResult,
    methods: str | Sequence[str] = (),
    *,
    method_files: Sequence[str | Path] = (),
    attribute: str | None = None,
    seeds: int | Sequence[int] = 1,
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    folds: bool = False,
    device: str = "auto",
    fresh: bool = False,
    priority: str = "normal",
    launcher: str = "local",
    share: Mapping[str, float] | None = None,
    processes: int = 1,
    wait: bool = True,
    workspace: str | Path | Workspace | None = None,
    progress: Callable[[str], None] | None = None,
) -> RunsResult:
    """Train methods on a cohort. What was trained before answers at once.

    Parameters
    ----------
    cohort : a saved cohort, its id or its name. methods : names, see `multifair methods`.
    method_files : Python files with methods of your own (core/methods/own_example.md); these are trained where `methods` names none.
    attribute : the sensitive attribute (default: the cohort's first); "sex,age" for the intersections of both.
    seeds : a number N means the seeds 1 to N; a list means exactly these.
    preset : network and budget ("quick", "standard", "paper"). settings : of method, budget or network, over the preset.
    folds : cross-validation: a run for each fold of the cohort; the answer holds the pooled runs, in which
        every sample is judged by the network that did not see it.
    device : "auto", "cpu", "cuda" or "cuda:N". fresh : train again, from the start, what is done or has begun.
    priority : "high", "normal" or "low", of other runs that wait.
    launcher : "local" or "ray". share : of a machine that each run takes there.
    processes : of this machine that share each run, every one with a GPU of its own where there are GPUs.
    wait : return when all runs are settled (they go on without this process otherwise).
    workspace : where cohorts and runs are kept. progress : gets a line now and then.

    Raises
    ------
    UserError
        For an unknown cohort, method, attribute or setting.
    """
    from core.runs import plan, submit
    from core.runs.folder import RunFolder
    from core.runs.folds import of_every_fold, pool_when_whole, pooled_spec
    from core.runs.own_methods import keep
    from core.runs.wait import wait as wait_for

    place = workspace_of(workspace)
    tell = progress or (lambda _: None)
    wanted = range(1, seeds + 1) if isinstance(seeds, int) else seeds
    if device != "auto":
        from core.training.device import choose

        choose(device)
    chosen = cohort_of(cohort, place)
    own = [name for file in method_files for name in keep(place, file)]
    specs = plan(chosen, [methods] if isinstance(methods, str) else methods or own, attribute, wanted, preset, settings, cache=place.cache)
    pooled = [pooled_spec(spec).run_id for spec in specs] if folds else []
    if folds:
        if not chosen.n_folds:
            raise UserError(f"cohort {chosen.name!r} has no folds; bring its table again with --folds 5, or with --fold COL for its own")
        specs = of_every_fold(specs, chosen.n_folds)
    handles = submit(place, specs, device, fresh=fresh, priority=priority, launcher=launcher, share=share, processes=processes)
    cached = sum(handle.cached for handle in handles)
    tell(f"{len(handles)} runs on {chosen.name}: {cached} known already, {len(handles) - cached} to train")
    if wait:
        wait_for(place, [handle.run_id for handle in handles if not handle.cached], tell)
    for run_id in pooled:
        # The last fold's job makes it; here it is waited for, or made again where it was deleted.
        pool_when_whole(place, RunFolder(place.runs / next(s.run_id for s in specs if pooled_spec(s).run_id == run_id)))
    there = [run_id for run_id in pooled if (place.runs / run_id / "status.json").is_file()]
    return RunsResult(place, there or [handle.run_id for handle in handles], specs[0].train.attribute, handles)


def load_runs(
    run_ids: str | Sequence[str] | None = None,
    *,
    cohort: str | Cohort | CohortResult | None = None,
    attribute: str | None = None,
    workspace: str | Path | Workspace | None = None,
) -> RunsResult:
    """Runs that were made before.

    Parameters
    ----------
    run_ids : ids, or their unambiguous beginnings; None for all that are done.
    cohort : only runs on this cohort. attribute : by which tables, charts and audits compare (default: the one each run was trained with).
    workspace : where runs are kept.

    Raises
    ------
    UserError
        For an unknown run or cohort.
    """
    from core.runs import find

    place = workspace_of(workspace)
    cohort_id = None if cohort is None else cohort_of(cohort, place).cohort_id
    wanted = None if run_ids is None else [find(place, name).run_id for name in ([run_ids] if isinstance(run_ids, str) else run_ids)]
    with Store.open(place) as store:
        runs = store.runs(cohort_id, whole=wanted is None)
    if wanted is None:
        return RunsResult(place, runs.loc[runs["status"] == "done", "run_id"].tolist(), attribute)
    known = set(runs["run_id"])
    return RunsResult(place, [run_id for run_id in wanted if run_id in known], attribute)
