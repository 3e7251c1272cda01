"""What the pages say does not hang on a processor: it stays when numbers move by one unit in the last place.

`lab/nudges.py` says which numbers. Each notebook and each lesson's tests get one seed, by their place in the
list. NUDGES=all pytest -m slow tests/test_nudges.py tries all seeds on all of them, in three times the time.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_fair_numbers import ADMITTED
from test_notebooks import NOTEBOOKS, answered

from optim_lessons.adam import adam
from optim_lessons.course.publish import MEASURED, as_bytes, read
from optim_lessons.lab import nudges
from optim_lessons.lab.models import mlp
from optim_lessons.lab.path import path
from optim_lessons.landscapes import rosenbrock

HERE = Path(__file__).parent
SEEDS = (1, 2, 3)
ALL = os.environ.get("NUDGES") == "all"
LESSONS = [*sorted(HERE.glob("test_lesson_*.py")), HERE / "test_failures.py", HERE / "test_choosing.py"]
UNCHANGED = ("nbval-ignore-output", MEASURED)  # what stands in other cells must not change


every_notebook = pytest.mark.parametrize(
    "place", range(len(NOTEBOOKS)), ids=[path.stem for path in NOTEBOOKS]
)


def seeds_of(place):
    return SEEDS if ALL else (SEEDS[place % len(SEEDS)],)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return a function: an answered notebook, and what its cells did under each seed, run once."""

    @functools.cache
    def run(place):
        file = NOTEBOOKS[place]
        notebook = answered(read(file.read_bytes()), file.stem)
        folder = tmp_path_factory.mktemp(file.stem)
        (folder / "lesson.ipynb").write_bytes(as_bytes(notebook))
        command = [sys.executable, HERE / "nudged.py", "lesson.ipynb", *map(str, seeds_of(place))]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return notebook, json.loads(done.stdout)

    return run


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
@every_notebook
def test_no_text_on_a_page_and_no_verdict_changes_when_numbers_are_nudged(place, ran):
    assert not changes(*ran(place))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
@every_notebook
def test_no_sweep_of_a_lesson_has_its_best_at_an_end_of_its_range_unless_the_page_says_so(place, ran):
    _, runs = ran(place)
    admitted = ADMITTED.get(NOTEBOOKS[place].stem, {}).keys()
    assert {seed: set(bests) for seed, (_, bests) in runs.items()} == dict.fromkeys(runs, admitted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_test_of_a_lesson_fails_when_numbers_are_nudged(seed):
    files = [file for place, file in enumerate(LESSONS) if seed in seeds_of(place)]
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *files]
    nudge = os.environ | {"OPTIM_LESSONS_NUDGE": str(seed)}
    done = subprocess.run(command, cwd=HERE.parent, env=nudge, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]


def changes(notebook, runs):
    """Return what a notebook shows otherwise than it is stored: (seed, id of the cell, stored, shown)."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = []
    for seed, (words, _) in runs.items():
        for cell, (id, failed, *shown) in zip(cells, words, strict=True):
            stored = [o.text if o.output_type == "stream" else o.data["text/plain"] for o in cell.outputs]
            free = set(UNCHANGED) & set(cell.metadata.get("tags", []))
            if failed or (shown != stored and not free):
                found.append((seed, id, stored, failed or shown))
    return found


# The nudges themselves.


@pytest.fixture(params=SEEDS)
def nudge(request, monkeypatch):
    monkeypatch.setattr(nudges, "SEED", request.param)


def test_without_a_seed_an_array_comes_back_itself():
    x = np.ones(3)
    assert nudges.SEED or nudges.nudged(x) is x


@pytest.mark.usefixtures("nudge")
@pytest.mark.parametrize("dtype", [np.float32, float])
def test_each_number_moves_by_a_unit_up_or_down_or_stays_a_third_each(dtype):
    x = np.random.default_rng(0).standard_normal((30, 100)).astype(dtype)
    moved = nudges.nudged(x)
    assert moved.dtype == dtype
    assert (
        (moved == x) | (moved == np.nextafter(x, dtype(np.inf))) | (moved == np.nextafter(x, dtype(-np.inf)))
    ).all()
    assert [np.mean(np.sign(moved - x) == k) for k in (-1, 0, 1)] == pytest.approx([1 / 3] * 3, abs=0.05)


@pytest.mark.usefixtures("nudge")
def test_zeros_and_what_is_not_finite_stay_and_equal_runs_stay_equal():
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(nudges.nudged(special), special)
    assert nudges.nudged(np.float64(0.0)) == 0
    one = np.random.default_rng(1).standard_normal(50)
    np.testing.assert_array_equal(nudges.nudged(np.tile(one, (4, 1))), np.tile(nudges.nudged(one), (4, 1)))


def test_each_seed_moves_the_start_of_a_walk_the_path_and_a_model_each_in_its_own_way(monkeypatch):
    w = mlp(np.eye(3), np.arange(3), sizes=(3, 5, 3)).init(0)
    kinds = {
        "start": lambda: path(adam, rosenbrock.grad, np.array([-1.3, 2.7, 0.4, -0.9]).reshape(2, 2), 1)[0],
        "walk": lambda: path(adam, rosenbrock.grad, np.full((2, 2), 0.5) * [[1.1], [0.7]], 50)[-1],
        "model": lambda: mlp(np.eye(3), np.arange(3), sizes=(3, 5, 3)).grad(w),
    }
    for kind in kinds.values():
        seen = set()
        for seed in (0, *SEEDS):
            monkeypatch.setattr(nudges, "SEED", seed)
            seen.add(kind().tobytes())
            assert kind().tobytes() in seen  # the same seed, the same numbers
        assert len(seen) == 4


START = """\
import numpy as np
from optim_lessons.lab.path import path
print(path(lambda w, g: w, lambda w: w, np.full(9, 0.7), 0)[0].tolist())"""


def test_processes_that_a_test_starts_are_nudged_as_well_and_say_so():
    said = {}
    for seed in ("", "0", "1"):
        command, nudge = [sys.executable, "-c", START], os.environ | {"OPTIM_LESSONS_NUDGE": seed}
        said[seed] = subprocess.run(command, env=nudge, capture_output=True, text=True, check=True)
    assert said[""].stdout == said["0"].stdout != said["1"].stdout
    assert said[""].stderr == said["0"].stderr == ""
    assert "OPTIM_LESSONS_NUDGE=1" in said["1"].stderr
