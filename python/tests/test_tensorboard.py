"""TensorBoard's own reader, without TensorFlow, reads what --log tensorboard writes."""
import math
import subprocess

import pytest

import parl
from parl.program import _find

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
multiplexer = pytest.importorskip("tensorboard.backend.event_processing.event_multiplexer")


def make(recipe, folder, *options):
    subprocess.run([_find(None), "train", recipe, "--quiet", *options], cwd=folder, check=True, capture_output=True)


def test_every_number(recipe, tmp_path):
    make(recipe, tmp_path, "--log", "tensorboard")
    results = parl.load(tmp_path / "run")
    runs = multiplexer.EventMultiplexer(size_guidance={accumulator.SCALARS: 0})
    runs.AddRunsFromDirectory(str(tmp_path / "run" / "tensorboard")).Reload()
    assert sorted(runs.Runs()) == ["plain-s7", "plain-s8", "shaped-s7", "shaped-s8"]
    metrics = results.metrics.dropna(subset="value")
    metrics = metrics[~metrics["key"].str.startswith(("warm/", "forecast/", "warning/"))]
    n = 0
    for (arm, seed, key), rows in metrics.groupby(["arm", "seed", "key"]):
        if arm not in ("plain", "shaped"):
            continue
        events = runs.GetAccumulator(f"{arm}-s{seed}").Scalars(key)
        assert [event.step for event in events] == list(rows["at_update"]), key
        for event, value in zip(events, rows["value"]):
            assert math.isclose(event.value, value, rel_tol=1e-6, abs_tol=1e-30), key
        walls = [event.wall_time for event in events]
        assert walls == sorted(walls)
        n += len(events)
    tags = {run: runs.GetAccumulator(run).Tags()["scalars"] for run in runs.Runs()}
    assert n == sum(len(runs.GetAccumulator(run).Scalars(tag)) for run, of in tags.items() for tag in of) > 1000


def test_a_reader_that_is_there_already_goes_on(recipe, tmp_path):
    """A run that is gone on with gets a new file, which holds everything, and then loses the old one: TensorBoard,
    which may have read that, and may look between the two, shows no step twice and loses none."""
    make(recipe, tmp_path, "--log", "tensorboard")
    place = tmp_path / "run" / "tensorboard" / "plain-s7"
    old, = place.iterdir()
    readers = [accumulator.EventAccumulator(str(place), size_guidance={accumulator.SCALARS: 0}).Reload()]
    (place / "events.out.tfevents.9999999999.later.1").write_bytes(old.read_bytes())
    readers.append(accumulator.EventAccumulator(str(place), size_guidance={accumulator.SCALARS: 0}))
    for reader in readers:
        assert [event.step for event in reader.Reload().Scalars("reward/perf")] == [0, 1, 2, 3]
    old.unlink()
    for reader in readers:
        assert [event.step for event in reader.Reload().Scalars("reward/perf")] == [0, 1, 2, 3]
