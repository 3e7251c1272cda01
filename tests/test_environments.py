"""Wherever the environment lies, what an answer may use is there in the sandbox, and no answer is."""

import ast
import csv
import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from graders import ISOLATES
from test_check_command import LESSON, solved
from test_packaging import ROOT, build_wheel, install

from optim_lessons.course.publish import as_bytes
from optim_lessons.course.sandbox import walls
from optim_lessons.course.sandbox.box import Limits
from optim_lessons.course.submission import judge_notebook

pytestmark = pytest.mark.skipif(not ISOLATES, reason="this system has no namespaces")

# Libraries of a neighbour's environment do not count.
USES = """import numpy
import matplotlib.pyplot as plt
from scipy.optimize import brentq
from optim_lessons.lab import datasets
assert numpy.__file__.startswith({site!r}), numpy.__file__
plt.plot([1, 2])
datasets.digits()
largest_lr = brentq(lambda x: x - 0.05, 0, 1)
"""
# Right if nothing of the course is seen in a folder that holds it all, and in the environment.
SEEKS = """import os
found = [os.path.join(folder, name) for top in {tops!r} for folder, _, names in os.walk(top)
    for name in names if name.startswith("lesson_") or "gradient_descent" in name]
try:
    from optim_lessons.course.exercises import EXERCISES
    found.append("imported")
except ImportError:
    pass
assert not found, found
largest_lr = 0.05
"""


def clone_in(folder):
    """Copy what a clone needs to be one."""
    for name in ("optim_lessons", "notebooks", "assets"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def environment_in(folder, clone=None):
    """Make an environment with the libraries of this one's, and the course of a clone; return its Python."""
    venv.create(folder, with_pip=False)  # its Python is a copy
    (python,) = (path for path in folder.glob("*/python*") if path.stem == "python")
    kept_out = shutil.ignore_patterns("optim_lessons*", "*.pth", "nodejs*", "playwright*")
    for other in walls.libraries():
        shutil.copytree(other, site_of(python), ignore=kept_out, copy_function=_same_file, dirs_exist_ok=True)
    if clone:
        (site_of(python) / "course.pth").write_text(str(clone), encoding="utf-8")
    return python


def _same_file(source, target):
    try:
        os.link(source, target)  # a second for all, where a copy has a gigabyte
    except OSError:
        shutil.copy2(source, target)


def site_of(python):
    program = "import sysconfig; print(ascii(sysconfig.get_paths()['purelib']))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    return Path(ast.literal_eval(done.stdout))


def graded(python, folder):
    """Grade a class of two with an environment's command; return learner → row of the table."""
    answers = {
        "uses": USES.format(site=str(site_of(python))),
        "seeks": SEEKS.format(tops=[str(folder), str(site_of(python))]),
    }
    for learner, answer in answers.items():
        (folder / "class" / learner).mkdir(parents=True)
        notebook = as_bytes(solved(answers={"largest_lr": answer}))
        (folder / "class" / learner / f"{LESSON}.ipynb").write_bytes(notebook)
    command = [python, "-m", "optim_lessons.course.cli", "grade", folder / "class", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=python.parent, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(folder / "class-graded" / "grades.csv", newline="", encoding="utf-8-sig") as file:
        rows = {row["learner"]: row for row in csv.DictReader(file)}
    texts = [(folder / "class-graded" / "feedback" / f"{name}.html").read_text("utf-8") for name in rows]
    assert {row["points"] for row in rows.values()} == {"11"}, texts
    assert {row["isolated"] for row in rows.values()} == {"yes"}


@pytest.mark.slow
def test_the_environment_may_lie_in_the_clone(tmp_path):
    clone = clone_in(tmp_path / "clone")
    graded(environment_in(clone / ".venv", clone), tmp_path)


@pytest.mark.slow
def test_the_environment_may_lie_outside_the_clone(tmp_path):
    clone = clone_in(tmp_path / "clone")
    graded(environment_in(tmp_path / "environment", clone), tmp_path)


@pytest.mark.slow
def test_clone_and_environment_may_have_spaces_and_umlauts_in_their_path(tmp_path):
    clone = clone_in(tmp_path / "Zoës Übungen; $1 & 'more'" / "a clone")
    graded(environment_in(clone / ".venv", clone), tmp_path)


@pytest.mark.slow
def test_the_course_may_be_installed_as_a_wheel(tmp_path):
    python = environment_in(tmp_path / "environment")
    install(python, build_wheel(ROOT, tmp_path))
    graded(python, tmp_path)


def test_a_clone_in_a_folder_of_the_system_is_hidden_and_its_environment_is_not(monkeypatch):
    """As in /usr/local/src: there, the system's own folders hold the clone, and the clone its environment."""
    monkeypatch.setattr(walls, "_SYSTEM", (*walls._SYSTEM, ROOT.parts[1]))
    tops = [str(ROOT / name) for name in ("optim_lessons", "notebooks", "tests")]
    tops += [str(place / "optim_lessons") for place in walls.libraries()]
    for answer in (USES.format(site=""), SEEKS.format(tops=tops)):
        data = as_bytes(solved(answers={"largest_lr": answer}))
        _, results = judge_notebook(data, Limits(), walls=walls.namespaces)
        assert {r.name: r.text for r in results if r.state != "right"} == {}
