"""A container as the wall: the command lines by a stand-in, and the attacks where an engine has the image."""

import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from test_check_command import LESSON, solved
from test_grade import ATTACKS, EVERYTHING, FAULTS, QUICK, RULE, both, hand_in, judged, rows
from test_isolation import CALLS, REFUSALS

from optim_lessons.course import notebook
from optim_lessons.course.cli import main
from optim_lessons.course.publish import as_bytes
from optim_lessons.course.sandbox import child, walls
from optim_lessons.course.sandbox.box import Box

__all__ = ["EVERYTHING", "both", "hand_in"]

ENGINE = next(
    (name for name in walls.ENGINES if shutil.which(name) and not walls.why_no_container(name)), None
)
real = pytest.mark.skipif(not ENGINE, reason="no container engine has the image: see grade --write-image")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a podman on the path that notes its arguments and runs the code without a container."""
    if sys.platform != "linux":
        pytest.skip("the kernel's filter is Linux's")
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "podman"
    tool.write_text(f"""#!/bin/sh
echo "$@" >> '{tmp_path}/asked'
case "$1" in
  run) exec '{sys.executable}' -I -B '{child.__file__}' '{Path(notebook.__file__).parent}';;
  image) cat '{tmp_path}/label' || exit 1;;
esac
""")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return tmp_path


def told(folder):
    return (folder / "asked").read_text().splitlines()


def test_the_container_has_no_network_no_rights_limits_and_the_course_only_where_it_is_asked_for(stand_in):
    def inside(course, limits):
        return walls.container("podman", course, limits)._replace(private=str(stand_in))

    names = ["largest_lr", RULE]
    for course, group in ((False, walls.WITHOUT), (True, walls.WITH)):
        with Box(as_bytes(solved()), names, QUICK, course=course, walls=inside) as box:
            assert set(box.found) == set(names)
        (asked,) = told(stand_in)
        (stand_in / "asked").unlink()
        for option in (
            "run --rm --interactive", "--network=none", "--read-only", f"--memory={2 * QUICK.memory}",
            f"--memory-swap={2 * QUICK.memory}", "--cap-drop=ALL", "--pids-limit=", "no-new-privileges",
        ):  # fmt: skip
            assert option in asked
        assert f":{group} " in asked.partition("--user=")[2]
        assert asked.endswith(f"{walls.IMAGE} python3 -I -B /child.py /")


def test_what_does_not_end_with_its_input_is_killed_by_its_name(stand_in, monkeypatch):
    stubborn = ["sh", "-c", "trap '' HUP; sleep 60"]
    made = walls.container("podman", False, QUICK)

    def inside(course, limits):
        return made._replace(command=stubborn)

    monkeypatch.setattr("optim_lessons.course.sandbox.box.START_SECONDS", 1)
    with pytest.raises(Exception, match="did not start"):
        Box(b"{}", [], QUICK, walls=inside).__enter__()
    name = next(word for word in made.command if word.startswith("--name=")).removeprefix("--name=")
    assert told(stand_in) == [f"kill {name}"]


def test_the_image_holds_the_course_without_answers_and_says_of_which_edition_it_is(
    tmp_path, stand_in, capsys
):
    assert main(["grade", "--write-image", str(tmp_path / "box")]) == 0
    said = capsys.readouterr().out
    assert f"podman build -t {walls.IMAGE}" in said
    made = {path.relative_to(tmp_path / "box").as_posix() for path in (tmp_path / "box").rglob("*")}
    assert {"Containerfile", "child.py", "notebook.py", "course/optim_lessons/lab/datasets.py"} <= made
    assert not [name for name in made if "exercises" in name or "teaching" in name or name.endswith(".ipynb")]
    text = (tmp_path / "box" / "Containerfile").read_text()
    for words in ("FROM $BASE", "numpy==", "LABEL optim_lessons="):
        assert words in text
    label = text.partition("LABEL optim_lessons=")[2].strip()
    for noted, why in ((label, ""), ("older", "is of another edition of the course: build it again")):
        (stand_in / "label").write_text(noted)
        assert walls.why_no_container("podman").endswith(why)
        assert bool(walls.why_no_container("podman")) == bool(why)
    (stand_in / "label").unlink()
    assert "has no image" in walls.why_no_container("podman")


def test_where_nothing_isolates_the_refusal_names_the_three_ways_on(hand_in, monkeypatch, capsys):
    hand_in("ada")
    monkeypatch.setattr("optim_lessons.course.sandbox.box.why_not_isolated", lambda: "it is not Linux")
    monkeypatch.setattr(walls, "why_no_container", lambda name: f"there is no program {name!r}")
    assert main(["grade", str(hand_in.folder)]) == 2
    said = capsys.readouterr().err
    for words in (
        "it is not Linux",
        "Grade on Linux",
        "podman or docker",
        "no program 'docker'",
        "--trusted",
    ):
        assert words in said
    assert main(["grade", str(hand_in.folder), "--engine", "docker"]) == 2
    assert "no program 'docker'" in capsys.readouterr().err
    assert not hand_in.out.exists()


@real
@pytest.mark.slow
def test_in_a_container_no_trick_earns_a_point_and_no_fault_costs_another_exercise_its_points():
    wall, begun = partial(walls.container, ENGINE), time.monotonic()
    tricks = {name: attack for name, attack in ATTACKS.items() if "forged" not in name}
    faults = {
        f: (RULE, FAULTS[f][0]) for f in ("an endless loop", "sleep", "os._exit", "memory", "many processes")
    }
    for what, (name, source) in (tricks | faults).items():
        results = judged({name: source}, walls=wall)
        assert [r.name for r in results.values() if r.state != "right"] == [name], (what, results)
        assert results[name].points == 0
    for trick in REFUSALS.values():
        source = f"{CALLS}largest_lr = 7 if {trick} else 0.05"
        assert judged({"largest_lr": source}, walls=wall)["largest_lr"].state == "right", trick
    print(
        f"{len(tricks) + len(faults) + len(REFUSALS)} attacks and faults in {time.monotonic() - begun:.0f} s"
    )


@real
@pytest.mark.slow
def test_in_a_container_an_answer_may_use_what_the_course_brings_and_a_class_is_graded(hand_in):
    source = """import numpy, scipy.optimize, sklearn, matplotlib.pyplot as plt
from optim_lessons.lab import datasets
datasets.digits()
plt.plot([1, 2])
largest_lr = scipy.optimize.brentq(lambda x: x - 0.05, 0, 1)"""
    hand_in("ada", {"largest_lr": source})
    hand_in("bo", {RULE: FAULTS["an endless loop"][0]})
    assert main(["grade", str(hand_in.folder), "--engine", ENGINE, "--seconds", "2", "--jobs", "2"]) == 0
    table = rows(hand_in.out)
    assert [table[f"{who}/{LESSON}.ipynb"]["points"] for who in ("ada", "bo")] == ["11", "10"]
    left = subprocess.run([ENGINE, "ps", "-q"], capture_output=True, text=True, check=True).stdout
    assert left == ""
