"""Runs of parl as pandas data frames.

>>> import parl
>>> results = parl.load("runs/quickstart")  # or parl.train("quickstart", train={"updates": 50})
>>> results.runs  # an arm with a seed a row
>>> results.curves("reward/perf", "lambda/lambda1")  # metrics over updates
>>> results.episodes.groupby("arm").critical_steps.mean()

Data frames and their columns are those of the run database (docs/store.md). `train`, `sweep`, `stats` and `score` call
the program `parl`, which must be installed or built; `load` needs it not.
"""
from .errors import Error, ProgramError
from .program import Sweep, Statistics, score, stats, sweep, train
from .results import Results, load, stages, subs

__all__ = ["Error", "ProgramError", "Results", "Statistics", "Sweep", "load", "score", "stages", "stats", "subs",
           "sweep", "train"]
