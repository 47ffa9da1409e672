"""Calls of the program `parl`."""
from __future__ import annotations

import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from .errors import Error, ProgramError
from .results import Results, flatten, load

Progress = Callable[[str], None] | bool
KEPT_LINES = 200  # of what it said, for its last message


def train(recipe: str | os.PathLike[str], *, program: str | os.PathLike[str] | None = None,
          cwd: str | os.PathLike[str] | None = None, progress: Progress = True, retry_failed: bool = False,
          **overrides: Any) -> Results:
    """Trains every arm and seed of a recipe, a file or the name of a shipped one, and loads its run folder. The same
    call again makes what is missing; an interrupt (Ctrl-C) saves a checkpoint first.

    overrides are fields of the recipe: train={"updates": 50}, or **{"train.updates": 50, "shaped:lambda1.start": 0.1}.
    progress: a function that is given every line of progress and log, True: standard error, False: nowhere.
    program: default: $PARL, else `parl` on PATH. cwd: the folder that paths, run.dir too, lead from.
    Fails: ProgramError with the program's own message, also if a run failed; the others are in the folder then.
    """
    arguments = ["train", os.fspath(recipe), "--json", *_sets(overrides), *(["--retry-failed"] if retry_failed else [])]
    printed = json.loads(_run(arguments, program, cwd, progress))
    results = load(Path(cwd or ".") / printed["run"])
    results.printed = printed
    return results


@dataclass
class Sweep:
    """What `parl sweep` found. Both frames: arm, the fields that vary, n seeds, mean and interval lo to hi; best
    first."""
    points: pandas.DataFrame
    top: pandas.DataFrame  # the best, trained anew on seeds that chose nothing; empty if the sweep says so
    folder: Path  # of the points' runs
    top_folder: Path | None
    printed: dict[str, Any]

    def load(self) -> Results:
        """The runs of the best where there are such, else of the points."""
        return load(self.top_folder or self.folder)


def sweep(file: str | os.PathLike[str], *, program: str | os.PathLike[str] | None = None,
          cwd: str | os.PathLike[str] | None = None, progress: Progress = True, jobs: int | None = None,
          retry_failed: bool = False, **overrides: Any) -> Sweep:
    """Makes a sweep, a file or the name of a shipped one; parameters as those of `train`."""
    arguments = ["sweep", os.fspath(file), "--json", *_sets(overrides), *(["--retry-failed"] if retry_failed else []),
                 *([] if jobs is None else ["--jobs", str(jobs)])]
    printed = json.loads(_run(arguments, program, cwd, progress))
    base = Path(cwd or ".")
    top = printed.get("top_folder")
    return Sweep(_points(printed["points"]), _points(printed.get("top", [])), base / printed["folder"],
                 base / top if top else None, printed)


def _points(points: list[dict[str, Any]]) -> pandas.DataFrame:
    rows = [{"arm": p["arm"], **p["values"], "n": p["n"], "mean": p["mean"], "lo": p["lo"], "hi": p["hi"]}
            for p in points]
    frame = pandas.DataFrame(rows)
    return frame if frame.empty else frame.astype({name: float for name in ("mean", "lo", "hi")})


@dataclass
class Statistics:
    """Numbers of `parl stats` (docs/statistics.md)."""
    algorithms: pandas.DataFrame  # by (algorithm, statistic): value, lo, hi
    profiles: pandas.DataFrame  # by algorithm, a column for each tau: share of runs above it
    pairs: pandas.DataFrame  # by "A>B": probability_of_improvement and mean_difference with _lo, _hi; wilcoxon_p, ...


def stats(table: pandas.DataFrame | str | os.PathLike[str], *, resamples: int = 50000, seed: int = 1,
          taus: Iterable[float] | None = None, program: str | os.PathLike[str] | None = None) -> Statistics:
    """Aggregates, profiles and comparisons of a table with the columns task, algorithm, seed, score: a frame, as
    `Results.scores` makes it, or a CSV file."""
    options = ["--json", "--resamples", str(resamples), "--seed", str(seed)]
    if taus is not None:
        options += ["--taus", ",".join(repr(float(tau)) for tau in taus)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv" if isinstance(table, pandas.DataFrame) else Path(table)
        if isinstance(table, pandas.DataFrame):
            missing = [name for name in ("task", "algorithm", "seed", "score") if name not in table.columns]
            if missing:
                raise Error(f"the table has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}")
            table[["task", "algorithm", "seed", "score"]].to_csv(path, index=False)
        printed = json.loads(_run(["stats", os.fspath(path), *options], program, None, False))
    named = {(name, statistic): of[statistic] for name, of in printed["algorithms"].items()
             for statistic in ("iqm", "mean", "median", "optimality_gap")}
    algorithms = pandas.DataFrame.from_dict(named, orient="index", columns=["value", "lo", "hi"])
    algorithms.index = pandas.MultiIndex.from_tuples(named, names=["algorithm", "statistic"])
    profiles = pandas.DataFrame({name: of["profile"] for name, of in printed["algorithms"].items()},
                                index=pandas.Index(printed["taus"], name="tau")).T
    pairs = pandas.DataFrame({name: _flat_pair(of) for name, of in printed["pairs"].items()}).T.infer_objects()
    return Statistics(algorithms, profiles.rename_axis(index="algorithm"), pairs.rename_axis(index="pair"))


def _flat_pair(pair: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in pair.items():
        if isinstance(value, dict):
            flat.update({key: value["value"], key + "_lo": value["lo"], key + "_hi": value["hi"]})
        else:
            flat[key] = value
    return flat


def score(episodes: Iterable[Mapping[str, Any]] | str | os.PathLike[str], *, parallel: str | None = None,
          finish: str | None = None, parallel_cap: int | None = None, skip_bad: bool = False,
          program: str | os.PathLike[str] | None = None) -> pandas.DataFrame:
    """Terms and costs of episodes that any system recorded: objects as `parl score --help` shows them, or a file of
    them, a line of JSON each. A row for each, in their order."""
    options = ["--json", *(["--skip-bad"] if skip_bad else [])]
    for name, value in (("--parallel", parallel), ("--finish", finish), ("--parallel-cap", parallel_cap)):
        if value is not None:
            options += [name, str(value)]
    if isinstance(episodes, (str, os.PathLike)):
        lines = _run(["score", os.fspath(episodes), *options], program, None, False)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "episodes.jsonl"
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(episode) + "\n" for episode in episodes)
            lines = _run(["score", os.fspath(path), *options], program, None, False)
    return pandas.DataFrame([json.loads(line) for line in lines.splitlines() if line])


# --- the process ---

def _sets(overrides: Mapping[str, Any]) -> list[str]:
    return [word for key, value in flatten(overrides) for word in ("--set", f"{key}={_text(key, value)}")]


def _text(key: str, value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value  # of numpy
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    raise TypeError(f"{key}: a recipe's field is a number, a text, True or False, not {value!r}")


def _find(program: str | os.PathLike[str] | None) -> str:
    """Its path, from the folder we are in, since the program may be run in another."""
    wanted = os.fspath(program or os.environ.get("PARL") or "parl")
    found = shutil.which(wanted)
    if found is None:
        raise Error(f"no program {wanted!r}: install parl (make install), set PARL to its path, or pass program=")
    return os.path.abspath(found)


def _run(arguments: Sequence[str], program: str | os.PathLike[str] | None, cwd: str | os.PathLike[str] | None,
         progress: Progress) -> str:
    """What it printed. It has a session of its own: a terminal's Ctrl-C reaches us, and through us, once, it."""
    command = [_find(program), *arguments]
    said: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
    printed: list[str] = []
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", errors="replace", start_new_session=True) as process:
        reader = threading.Thread(target=lambda: printed.append(process.stdout.read()), daemon=True)
        reader.start()
        try:
            _follow(process, said, progress)
        except BaseException:
            _stop(process, said)
            raise
        finally:
            reader.join()
    if process.returncode != 0:
        raise ProgramError(_message(said, process.returncode), process.returncode, command)
    return printed[0]


def _follow(process: subprocess.Popen[str], said: collections.deque[str], progress: Progress) -> None:
    for line in process.stderr:
        line = line.rstrip("\n")
        said.append(line)
        if callable(progress):
            progress(line)
        elif progress:
            print(line, file=sys.stderr, flush=True)
    process.wait()


def _stop(process: subprocess.Popen[str], said: collections.deque[str]) -> None:
    """Lets it save a checkpoint and end; a second interrupt ends it at once."""
    try:
        process.send_signal(signal.SIGINT)
        _follow(process, said, False)
    except BaseException:
        process.kill()
        raise


def _message(said: Iterable[str], code: int) -> str:
    """From the first line that begins with its name; without one, how it ended."""
    lines = list(said)
    first = next((i for i, line in enumerate(lines) if line.startswith("parl: ")), None)
    if first is None:
        return f"parl ended with exit code {code}" + (": " + lines[-1] if lines else "")
    return "\n".join([lines[first].removeprefix("parl: "), *lines[first + 1:]])
