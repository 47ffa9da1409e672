"""What is read is what the database has: every table, every column, every row."""
import json
import math
import os
import shutil
import sqlite3

import pandas
import pytest

import parl

FRAMES = {"run": "runs", "metric": "metrics", "episode": "episodes", "training_episode": "training_episodes",
          "failure": "failures", "checkpoint": "checkpoints", "rung": "rungs",
          "claim": "claims"}


def select(folder, sql):
    db = sqlite3.connect(folder / "store.db")
    rows = db.execute(sql).fetchall()
    db.close()
    return rows


def test_every_table_and_column(trained):
    results = parl.load(trained.folder)
    tables = {name for name, in select(trained.folder, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == set(FRAMES)
    for table, frame in FRAMES.items():
        columns = {name for name, in select(trained.folder, f"SELECT name FROM pragma_table_info('{table}')")}
        if table == "run":  # two are JSON, and frames of their own
            columns = (columns - {"id", "config", "host"}) | {"run_id"}
        read = getattr(results, frame)
        assert columns <= set(read.columns), table
        assert len(read) == select(trained.folder, f"SELECT count(*) FROM {table}")[0][0], table


@pytest.mark.parametrize("table", ["metric", "episode", "training_episode", "checkpoint"])
def test_every_value(trained, table):
    frame = getattr(trained, FRAMES[table])
    names = [name for name, in select(trained.folder, f"SELECT name FROM pragma_table_info('{table}')")]
    read = frame[names].itertuples(index=False, name=None)
    rows = select(trained.folder, f"SELECT {', '.join(names)} FROM {table}")
    assert len(frame) > 0
    assert sorted(map(repr, map(plain, read))) == sorted(map(repr, map(plain, rows)))


def plain(row):
    """The same for a number of SQLite and of pandas; NULL is NaN."""
    return [None if value is None or value != value else float(value) if isinstance(value, (int, float)) or
            hasattr(value, "item") else value for value in row]


def test_runs(trained):
    runs = trained.runs
    assert list(runs["arm"]) == ["shaped", "shaped", "plain", "plain", "untrained", "greedy_wide", "untrained",
                                 "greedy_wide"]
    assert list(runs["seed"]) == [7, 8, 7, 8, 7, 7, 8, 8]
    assert set(runs["status"]) == {"done"} and not runs["retired"].any() and set(runs["error"]) == {""}
    assert list(runs["trained"]) == [True] * 4 + [False] * 4
    assert repr(trained).endswith("8 runs, 8 done>")


def test_configurations(trained):
    assert trained.config("shaped")["train"]["updates"] == 4
    assert trained.config("plain", 8)["lambda1"]["start"] == 0
    first = trained.runs["run_id"].iloc[0]
    assert trained.configs.loc[first, "train.group"] == 4
    assert trained.hosts.loc[first, "command"].startswith("parl train")
    with pytest.raises(parl.Error, match="no run of arm 'shape'; arms are shaped, plain"):
        trained.config("shape")
    with pytest.raises(parl.Error, match="with seed 9"):
        trained.config("plain", 9)


def test_curves(trained):
    curves = trained.curves("lambda/lambda1", "reward/perf")
    assert list(curves.columns) == ["lambda/lambda1", "reward/perf"]
    assert curves.index.names == ["arm", "seed", "at_update"] and len(curves) == 16
    assert (curves.loc["plain"]["lambda/lambda1"] == 0).all() and curves.loc[("shaped", 7, 0), "lambda/lambda1"] > 0
    fresh = parl.load(trained.folder)
    pandas.testing.assert_frame_equal(fresh.curves("lambda/lambda1", "reward/perf"), curves)
    assert set(trained.curves().columns) == set(trained.metrics["key"])
    with pytest.raises(parl.Error, match="no metric 'reward/prf'"):
        fresh.curves("reward/prf")


def test_stages_and_subs_are_the_facts(trained):
    for episodes in (trained.episodes, trained.training_episodes):
        stages, subs = parl.stages(episodes), parl.subs(episodes)
        of = stages.groupby("episode")
        assert (of["main"].sum() + of["sub_max_steps"].sum() == episodes["critical_steps"]).all()
        assert (of["main"].sum() + of["sub_steps"].sum() == episodes["total_steps"]).all()
        assert (of["width"].max() == episodes["max_width"]).all() and (of.size() == episodes["turns"]).all()
        for flag, fact in (("finished", "finished"), ("useful", "useful"), ("duplicate", "duplicates")):
            counted = subs.groupby("episode")[flag].sum().reindex(episodes.index, fill_value=0)
            assert (counted == episodes[fact]).all(), flag
        assert len(subs) == episodes["assigned"].sum() > 0 and set(subs["role"]) == {"searcher"}
        assert subs["task"].str.len().min() > 0
    some = trained.episodes[trained.episodes["arm"] == "greedy_wide"]
    assert set(parl.stages(some)["episode"]) == set(some.index)
    assert len(trained.stages) == trained.episodes["turns"].sum() and len(trained.subs) > 0


def test_scores(trained):
    episodes = trained.episodes
    assert (episodes["score/success"] == [json.loads(text)["success"] for text in episodes["scores"]]).all()
    table = trained.scores("critical_steps")
    assert list(table.columns) == ["task", "algorithm", "seed", "score"] and len(table) == 8
    mine = episodes[(episodes["arm"] == "plain") & (episodes["seed"] == 8) & (episodes["decoding"] == "sampled")]
    row = table[(table["algorithm"] == "plain") & (table["seed"] == 8)]
    assert math.isclose(row["score"].iloc[0], mine["critical_steps"].mean())
    assert set(trained.scores(greedy=True)["algorithm"]) == {"shaped", "plain", "untrained", "greedy_wide"}


def test_failed_episodes_are_not_scored(change):
    folder = change("UPDATE episode SET failed = 1, r_perf = NULL WHERE task_seed % 2 = 0")
    assert parl.load(folder).episodes["r_perf"].isna().any()
    assert parl.load(folder).scores()["score"].notna().all()


def test_retired_runs_are_left_out(change):
    folder = change("UPDATE run SET retired = 1 WHERE arm = 'plain'")
    assert "plain" not in set(parl.load(folder).runs["arm"]) | set(parl.load(folder).metrics["arm"])
    whole = parl.load(folder, retired=True)
    assert whole.runs["retired"].sum() == 2 and "plain" in set(whole.curves("reward/perf").index.unique("arm"))


def test_an_older_file(change):
    folder = change("""DROP TABLE training_episode; DROP TABLE failure; DROP TABLE claim;
        ALTER TABLE run DROP COLUMN seal; ALTER TABLE run DROP COLUMN error; ALTER TABLE run DROP COLUMN retired;
        ALTER TABLE episode DROP COLUMN stages; ALTER TABLE episode DROP COLUMN scores; PRAGMA user_version = 2;""")
    old = parl.load(folder)
    assert len(old.runs) == 8 and not old.runs["retired"].any() and old.runs["seal"].isna().all()
    assert len(old.episodes) > 0 and old.stages.empty and old.training_episodes.empty and old.failures.empty
    assert old.claims.empty and len(parl.load(folder, retired=True).metrics) > 0


def test_a_column_of_a_newer_parl(change):
    episodes = parl.load(change("ALTER TABLE episode ADD COLUMN joules REAL; UPDATE episode SET joules = 2")).episodes
    assert (episodes["joules"] == 2).all()


def test_another_schema_is_refused(change):
    with pytest.raises(parl.Error, match="has schema version 16, this package reads 1 to 15"):
        parl.load(change("PRAGMA user_version = 16"))


def test_what_is_no_run_folder(tmp_path):
    with pytest.raises(parl.Error, match="no run database"):
        parl.load(tmp_path / "nowhere")
    (tmp_path / "store.db").write_bytes(b"not a database, but longer than a header of one would have to be" * 20)
    with pytest.raises(parl.Error, match="not a database"):
        parl.load(tmp_path)
    (tmp_path / "store.db").write_bytes(b"")
    with pytest.raises(parl.Error, match="has no runs yet"):
        parl.load(tmp_path)
    sqlite3.connect(tmp_path / "store.db").executescript("CREATE TABLE run(id)")
    with pytest.raises(parl.Error, match="not one of parl's runs"):
        parl.load(tmp_path)


def test_names_of_folders(trained, tmp_path):
    folder = tmp_path / "50% of #1?"
    folder.mkdir()
    shutil.copy(trained.folder / "store.db", folder)
    assert len(parl.load(folder).runs) == 8


def test_nothing_is_written(copy):
    before = (copy / "store.db").read_bytes()
    results = parl.load(copy)
    for frame in FRAMES.values():
        getattr(results, frame)
    assert (copy / "store.db").read_bytes() == before
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        results._store._open().execute("DELETE FROM metric")


def test_a_folder_that_cannot_be_written(copy):
    for folder in [copy, *copy.parents][:3]:
        os.chmod(folder, 0o755)
    os.chmod(copy, 0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        if not os.access(copy / "store.db", os.R_OK, effective_ids=True):
            pytest.skip("nobody but root can come here")
        assert len(parl.load(copy).runs) == 8
        assert os.listdir(copy) == ["store.db"]
    finally:
        if is_root:
            os.seteuid(0)
        os.chmod(copy, 0o755)
