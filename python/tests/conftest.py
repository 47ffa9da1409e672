"""A run folder that all tests read, made by the program in $PARL."""
import sqlite3
import shutil
from pathlib import Path

import pytest

import parl

ROOT = Path(__file__).resolve().parents[2]
RECIPE = f"""
return {{
  name = "small",
  env = {{ file = "{ROOT}/envs/wide_search.lua" }},
  agents = {{ subs = "scripted", reliability = 0.7 }},
  model = {{ n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 1, head_dim = 8, d_ff = 24 }},
  warm = {{ steps = 12, episodes = 32, probe = 0, mix = "greedy_wide=0.6,serial=0.4" }},
  train = {{ updates = 4, tasks = 4, group = 4, store_episodes = "all" }},
  run = {{ dir = "run", n_seeds = 2, seed = 7, checkpoint_every = 2 }},
  eval = {{ tasks = 8, baselines = "greedy_wide" }},
  arms = {{ {{ name = "shaped" }}, {{ name = "plain", lambda1 = {{ start = 0.0 }} }} }},
}}
"""


@pytest.fixture(scope="session")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.lua"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def trained(recipe, tmp_path_factory):
    """What `train` returned; nobody writes into its folder."""
    return parl.train(recipe, cwd=tmp_path_factory.mktemp("trained"), progress=False)


@pytest.fixture
def copy(trained, tmp_path):
    """A folder with a copy of the database, to be changed."""
    shutil.copy(trained.folder / "store.db", tmp_path / "store.db")
    return tmp_path


@pytest.fixture
def change(copy):
    """Runs SQL in the copy; returns its folder."""
    def run(sql):
        db = sqlite3.connect(copy / "store.db")
        db.executescript(sql)
        db.close()
        return copy
    return run
