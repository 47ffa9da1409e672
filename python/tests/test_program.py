"""Calls of the program: what it is given, what it says, how it is stopped."""
import json
import re
from pathlib import Path

import pandas
import pytest

import parl
from conftest import ROOT
from parl.program import _sets
from parl.store import APPLICATION, SCHEMA


def test_train_gives_its_overrides(recipe, tmp_path):
    lines = []
    results = parl.train(recipe, cwd=tmp_path, progress=lines.append, run={"dir": "other", "n_seeds": 1},
                         warm={"steps": 3}, train={"updates": 2, "store_episodes": "none"},
                         **{"plain:lambda2.start": 0.25, "eval.tasks": 4, "eval.baselines": ""})
    assert results.folder == tmp_path / "other" and results.printed["updates"] == 4
    assert results.config("plain")["lambda2"]["start"] == 0.25 != results.config("shaped")["lambda2"]["start"]
    assert len(results.curves("reward/perf")) == 4 and results.training_episodes.empty
    assert any("runs" in line for line in lines)
    again = parl.train(recipe, cwd=tmp_path, progress=False, run={"dir": "other", "n_seeds": 1}, warm={"steps": 3},
                       train={"updates": 2, "store_episodes": "none"},
                       **{"plain:lambda2.start": 0.25, "eval.tasks": 4, "eval.baselines": ""})
    assert again.printed["hash"] == results.printed["hash"] and again.printed["updates"] == 0


def test_errors_are_the_programs_own(recipe, tmp_path):
    with pytest.raises(parl.ProgramError, match='train.updats: unknown key; did you mean "updates"') as error:
        parl.train(recipe, cwd=tmp_path, train={"updats": 1})
    assert error.value.code == 2 and "--set" in error.value.command
    with pytest.raises(parl.ProgramError, match='^no recipe "nowhere"'):
        parl.train("nowhere", cwd=tmp_path, progress=False)
    with pytest.raises(TypeError, match="train.updates: a recipe's field is"):
        parl.train(recipe, cwd=tmp_path, train={"updates": None})


def test_values_are_written_as_the_program_reads_them():
    frame = pandas.DataFrame({"x": [3]})
    assert _sets({"episode": {"mask": True}, "train.lr": 1e-4, "train": {"updates": frame["x"].iloc[0]}}) == [
        "--set", "episode.mask=true", "--set", "train.lr=0.0001", "--set", "train.updates=3"]


def test_no_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PARL", str(tmp_path / "none"))
    with pytest.raises(parl.Error, match="no program .*none"):
        parl.train("quickstart")


def count_metrics(folder):
    """0 as long as there is nothing to be read."""
    try:
        return len(parl.load(folder).metrics)
    except parl.Error as error:
        assert "no run database" in str(error) or "no runs yet" in str(error)
        return 0


def test_read_while_it_is_written_and_stopped(recipe, tmp_path):
    """Progress comes every 5 s; a script that prints makes a line for every task, in the midst of training."""
    counts = []
    noisy = tmp_path / "noisy.lua"
    env = tmp_path / "noisy_env.lua"
    original = recipe.read_text().split('file = "')[1].split('"')[0]
    text = Path(original).read_text(encoding="utf-8")
    env.write_text(text.replace("return parl.env", 'print("hello")\nreturn parl.env', 1))
    noisy.write_text(recipe.read_text().replace(original, str(env)))

    def look(line):
        if line.startswith("print: hello"):
            counts.append(count_metrics(tmp_path / "run"))

    fields = {"train": {"updates": 6}, "run": {"n_seeds": 1}}
    whole = parl.train(noisy, cwd=tmp_path, progress=look, **fields)
    assert counts and counts == sorted(counts) and counts[0] < len(whole.metrics)

    def interrupt(line):
        if line.startswith("print: hello") and count_metrics(tmp_path / "cut" / "run") > 0:
            raise KeyboardInterrupt

    (tmp_path / "cut").mkdir()
    with pytest.raises(KeyboardInterrupt):
        parl.train(noisy, cwd=tmp_path / "cut", progress=interrupt, **fields)
    assert "done" not in set(parl.load(tmp_path / "cut" / "run").runs["status"][-1:])
    assert parl.load(tmp_path / "cut" / "run").claims.empty  # it ended by itself, in order
    resumed = parl.train(noisy, cwd=tmp_path / "cut", progress=False, **fields)
    assert resumed.printed["hash"] == whole.printed["hash"]


def test_sweep(recipe, tmp_path):
    file = recipe.with_name("grid.lua")
    file.write_text("""return { recipe = "small", arms = { "shaped" }, dir = "grid", n_seeds = 2, top = 1,
      top_seeds = 1, parameters = { ["lambda1.start"] = { values = { 0.1, 0.3 } } } }""")
    found = parl.sweep(file, cwd=tmp_path, progress=False, jobs=2, train={"updates": 2}, eval={"tasks": 4})
    assert sorted(found.points["lambda1.start"]) == [0.1, 0.3] and len(found.top) == 1
    assert (found.points["lo"] <= found.points["hi"]).all()
    assert found.load().folder == tmp_path / "grid" and set(found.load().runs["status"]) == {"done"}
    assert set(parl.load(found.folder).runs["seed"]).isdisjoint(found.load().runs["seed"])


def test_stats(trained, tmp_path):
    table = trained.scores()
    found = parl.stats(table, taus=[0, 0.5], resamples=1000)
    means = table.groupby("algorithm")["score"].mean()
    for name, mean in means.items():
        value, low, high = found.algorithms.loc[(name, "mean")]
        assert abs(value - mean) < 1e-12 and low <= value <= high
        assert found.profiles.loc[name, 0.5] == (table[table["algorithm"] == name]["score"] > 0.5).mean()
    assert abs(found.pairs.loc["plain>shaped", "mean_difference"] - (means["plain"] - means["shaped"])) < 1e-12
    table.to_csv(tmp_path / "table.csv", index=False)
    again = parl.stats(tmp_path / "table.csv", taus=[0, 0.5], resamples=1000)
    pandas.testing.assert_frame_equal(again.pairs, found.pairs)
    with pytest.raises(parl.Error, match="no column 'task'"):
        parl.stats(table.drop(columns="task"))


def test_score(tmp_path):
    episodes = [{"id": k, "r_perf": 0.5, "stages": [{"main_steps": 1, "subs": [
        {"steps": 3, "finished": True, "task": "a"}, {"steps": k, "finished": False, "task": "b"}]}]} for k in (2, 5)]
    frame = parl.score(episodes, parallel_cap=4)
    assert list(frame["critical_steps"]) == [4, 6] and list(frame["total_steps"]) == [6, 9]
    assert list(frame["r_parallel"]) == [0.5, 0.5] and list(frame["r_finish"]) == [0.5, 0.5]
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(e) + "\n" for e in episodes) + "no episode\n")
    with pytest.raises(parl.ProgramError, match=":3"):
        parl.score(tmp_path / "e.jsonl")
    pandas.testing.assert_frame_equal(parl.score(tmp_path / "e.jsonl", parallel_cap=4, skip_bad=True), frame)


def test_the_package_knows_the_programs_schema():
    source = (ROOT / "core" / "store_schema.c").read_text()
    assert max(map(int, re.findall(r"^ +\{(\d+), \"", source, re.M))) == SCHEMA
    number, = re.findall(r"PARL_STORE_APPLICATION = (\w+)", (ROOT / "core" / "store_internal.h").read_text())
    assert int(number, 16) == APPLICATION
