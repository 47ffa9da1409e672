"""A run folder as data frames."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas

from .errors import Error
from .store import Store

# What names an episode in its run, and the run.
NAMES = ["run_id", "arm", "seed", "policy", "decoding", "at_update", "family", "task_seed", "rollout"]
FLAGS = ["finished", "useful", "duplicate", "lost", "false"]  # of a sub-agent


def load(folder: str | os.PathLike[str], *, retired: bool = False) -> Results:
    """The runs of a folder, of a training that is under way too. Nothing is written there.

    Runs that were set aside (`parl runs --retire`) are left out unless `retired`.
    Fails: Error if the folder has no run database, or a newer parl's.
    """
    return Results(folder, retired=retired)


class Results:
    """A run folder. Each frame is read when it is first asked for, and kept; `load` again to see what came since.

    Columns are those of the run database, by its names: docs/store.md says what they mean. Unknown numbers are NaN.
    Columns that an older parl did not keep are absent; those that a newer one added are there.
    """

    def __init__(self, folder: str | os.PathLike[str], *, retired: bool = False):
        self.folder = Path(folder)
        self._store = Store(folder)
        self._retired = retired
        self.printed: dict[str, Any] | None = None
        """What `parl train --json` printed, if `train` made the results."""

    def __repr__(self) -> str:
        done = int((self.runs["status"] == "done").sum())
        return f"<parl.Results {str(self.folder)!r}: {len(self.runs)} runs, {done} done>"

    @cached_property
    def _raw_runs(self) -> pandas.DataFrame:
        return self._store.read_runs(self._retired)

    @cached_property
    def runs(self) -> pandas.DataFrame:
        """A run a row: an arm with a seed. `trained` tells arms from baselines."""
        runs = self._raw_runs.drop(columns=["config", "host"])
        runs.insert(runs.columns.get_loc("seed") + 1, "trained",
                    ["train" in json.loads(text) for text in self._raw_runs["config"]])
        return runs

    @cached_property
    def configs(self) -> pandas.DataFrame:
        """The configuration of every run: a row for each run_id, a column for each field, `train.updates`."""
        return self._read_json("config")

    @cached_property
    def hosts(self) -> pandas.DataFrame:
        """Machine, build and command of every run: a row for each run_id."""
        return self._read_json("host")

    def _read_json(self, column: str) -> pandas.DataFrame:
        rows = [dict(flatten(json.loads(text))) if text else {} for text in self._raw_runs[column]]
        return pandas.DataFrame(rows, index=pandas.Index(self._raw_runs["run_id"], name="run_id"))

    def config(self, arm: str, seed: int | None = None) -> dict[str, Any]:
        """The configuration of a run, by sections; of the arm's first seed unless one is named."""
        rows = self._raw_runs[self._raw_runs["arm"] == arm]
        if seed is not None:
            rows = rows[rows["seed"] == seed]
        if rows.empty:
            raise Error(f"{self.folder}: no run of arm {arm!r}" + ("" if seed is None else f" with seed {seed}")
                        + "; arms are " + ", ".join(self._raw_runs["arm"].unique()))
        return json.loads(rows["config"].iloc[0])

    def _read(self, table: str, **only: Any) -> pandas.DataFrame:
        return self._store.read_rows(table, self._retired, only)

    @cached_property
    def metrics(self) -> pandas.DataFrame:
        """A number of an update a row: run_id, arm, seed, key, at_update, value (docs/metrics.md)."""
        return self._read("metric")

    def curves(self, *keys: str) -> pandas.DataFrame:
        """Metrics side by side: a row for each arm, seed, at_update; a column for each key, by default all of them.
        Of a large store only these keys are read."""
        if keys and "metrics" not in self.__dict__:
            metrics = self._read("metric", key=keys)
        else:
            metrics = self.metrics[self.metrics["key"].isin(keys)] if keys else self.metrics
        wide = metrics.pivot(index=["run_id", "arm", "seed", "at_update"], columns="key", values="value")
        missing = [key for key in keys if key not in wide.columns]
        if missing:
            raise Error(f"{self.folder}: no metric {missing[0]!r}")
        return wide.droplevel("run_id")[list(keys) if keys else list(wide.columns)].rename_axis(columns=None)

    @cached_property
    def episodes(self) -> pandas.DataFrame:
        """An evaluated episode a row; the environment's named numbers are `score/NAME`, too."""
        return _expand_scores(self._read("episode"))

    @cached_property
    def training_episodes(self) -> pandas.DataFrame:
        """An episode that training learned from a row, as far as train.store_episodes keeps them."""
        return _expand_scores(self._read("training_episode"))

    @cached_property
    def stages(self) -> pandas.DataFrame:
        """The turns of `episodes`: stages(self.episodes)."""
        return stages(self.episodes)

    @cached_property
    def subs(self) -> pandas.DataFrame:
        """The sub-agents of `episodes`: subs(self.episodes)."""
        return subs(self.episodes)

    @cached_property
    def failures(self) -> pandas.DataFrame:
        """Episodes that were left out, a phase of a run a row."""
        return self._read("failure")

    @cached_property
    def checkpoints(self) -> pandas.DataFrame:
        """A checkpoint file a row."""
        return self._read("checkpoint")

    @cached_property
    def rungs(self) -> pandas.DataFrame:
        """What a run was worth where a sweep looked at it before it was done, a look a row."""
        return self._read("rung")

    @cached_property
    def claims(self) -> pandas.DataFrame:
        """A process that works on a run or a warm start a row."""
        return self._store.read_claims()

    def scores(self, column: str = "r_perf", *, greedy: bool = False) -> pandas.DataFrame:
        """A table for `parl.stats`: the mean of a column of `episodes` of every task family (task), arm (algorithm)
        and seed, as sampled or greedy; scripts play one way. Episodes that failed are left out."""
        wanted = self.episodes["decoding"].isin(["greedy" if greedy else "sampled", "scripted"])
        episodes = self.episodes[wanted & (self.episodes["failed"].fillna(0) == 0)]
        means = episodes.groupby([episodes["family"].replace("", "all"), "arm", "seed"])[column].mean()
        table = means.rename("score").reset_index()
        return table.rename(columns={"family": "task", "arm": "algorithm"})


def stages(episodes: pandas.DataFrame) -> pandas.DataFrame:
    """The turns of some episodes, one a row: what names the episode, `episode` (its index in the frame), `turn` from 0,
    steps of the orchestrator (`main`), r_perf after it, `width` (sub-agents launched), their steps in all
    (`sub_steps`) and of the longest (`sub_max_steps`): critical steps are the sum of main + sub_max_steps."""
    rows = []
    for names, turn, stage in _turns(episodes):
        steps = [sub["steps"] for sub in stage.get("subs", [])]
        rows.append((*names, turn, stage["main"], stage["r_perf"], len(steps), sum(steps), max(steps, default=0)))
    own = ["turn", "main", "r_perf", "width", "sub_steps", "sub_max_steps"]
    return pandas.DataFrame.from_records(rows, columns=["episode", *_names_in(episodes), *own])


def subs(episodes: pandas.DataFrame) -> pandas.DataFrame:
    """The sub-agents of some episodes, one a row: what names the episode and the turn, `place` in the launch from 0,
    `steps`, `role`, `task`, and whether it is `finished`, `useful`, a `duplicate`, `lost`, `false`."""
    rows = []
    for names, turn, stage in _turns(episodes):
        for place, sub in enumerate(stage.get("subs", [])):
            rows.append((*names, turn, place, sub["steps"], sub.get("role", ""), sub.get("task", ""),
                         *(bool(sub.get(flag, 0)) for flag in FLAGS)))
    return pandas.DataFrame.from_records(
        rows, columns=["episode", *_names_in(episodes), "turn", "place", "steps", "role", "task", *FLAGS])


def _names_in(episodes: pandas.DataFrame) -> list[str]:
    return [name for name in NAMES if name in episodes.columns]


def _turns(episodes: pandas.DataFrame) -> Iterable[tuple[tuple[Any, ...], int, dict[str, Any]]]:
    if "stages" not in episodes.columns:
        return
    names = zip(episodes.index, *(episodes[name] for name in _names_in(episodes)))
    for of, text in zip(names, episodes["stages"]):
        if isinstance(text, str) and text:
            for turn, stage in enumerate(json.loads(text)):
                yield of, turn, stage


def _expand_scores(episodes: pandas.DataFrame) -> pandas.DataFrame:
    if "scores" not in episodes.columns:
        return episodes
    scores = [json.loads(text) if isinstance(text, str) and text else {} for text in episodes["scores"]]
    wide = pandas.DataFrame(scores, index=episodes.index).add_prefix("score/")
    return pandas.concat([episodes, wide], axis=1)


def flatten(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """("a.b", leaf) of {"a": {"b": leaf}}."""
    for key, of in value.items():
        if isinstance(of, Mapping):
            yield from flatten(of, f"{prefix}{key}.")
        else:
            yield prefix + key, of
