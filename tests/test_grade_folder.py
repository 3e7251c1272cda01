"""What is in a folder of hand-ins: nobody vanishes, and no two learners become one."""

import csv
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from graders import GRADE, ISOLATES, until
from test_check_command import LESSON, lesson, solved

from optim_lessons.course.cli import main
from optim_lessons.course.publish import as_bytes
from optim_lessons.teaching.handed_in import class_folder, learners_of, left_out, submissions


def make(folder, *names, data=b"{"):
    """Write files, and empty folders where a name ends in a slash."""
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(data)


def found(folder, lesson=None):
    return [path.as_posix() for path in submissions(folder, lesson)]


def rows(out):
    text = (out / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["file"]: row for row in csv.DictReader(io.StringIO(text))}


def grade(folder, *options):
    return main([*GRADE, str(folder), "--jobs", "1", "--seed", "1", *options])


def test_a_notebook_that_a_browser_or_a_system_renamed_is_read(tmp_path):
    names = ["a/x.IPYNB", "b/x.ipynb.json", "c/x.ipynb.txt", "d/x.ipynb"]
    make(tmp_path, *names, "e/x.ipynb.zip", "f/x.txt", "g/.x.ipynb", "h/y.ipynb/")
    assert found(tmp_path) == names


def test_everybody_without_a_notebook_is_told_with_the_reason(tmp_path):
    make(tmp_path, "ada/x.ipynb", "bo/x.zip", "bo/sub/y.pdf", "cy/", "dee/sub/.DS_Store", "x.pdf")
    make(tmp_path, *(f"eve/{i}.png" for i in range(9)), ".hidden/x", "Thumbs.db", "__MACOSX/x")
    make(tmp_path, "gus/", "hal/.x.ipynb", "hal/.DS_Store")
    (tmp_path / "fay").symlink_to(tmp_path / "ada")
    (tmp_path / "gus/all").symlink_to(tmp_path / "ada")
    assert left_out(tmp_path) == {
        "bo/": "it holds no notebook: x.zip, y.pdf: ask for the .ipynb file",
        "cy/": "the folder is empty: ask for the .ipynb file",
        "dee/": "the folder is empty: ask for the .ipynb file",
        "eve/": "it holds no notebook: 0.png, 1.png, 2.png, 3.png and 5 more: ask for the .ipynb file",
        "fay/": "it is a link, and links are not followed: copy the folder itself",
        ".hidden/": "its name begins with a dot, so it is hidden: give it another name",
        "gus/": "it holds only links, which are not followed: all: copy the folder itself",
        "hal/": "what it holds begins with a dot, so it is hidden: .x.ipynb: give it another name",
        "x.pdf": "it is no notebook: ask for the .ipynb file",
    }


def test_with_a_lesson_who_has_only_others_is_told_and_files_of_others_are_nobodys(tmp_path):
    make(tmp_path, "ada/01_gradient_descent.ipynb", "bo/08_Adam.ipynb", "08_adam.ipynb")
    assert found(tmp_path, LESSON) == ["ada/01_gradient_descent.ipynb"]
    assert left_out(tmp_path, LESSON) == {"bo/": f"no notebook of this lesson, {LESSON}, is in it"}
    assert left_out(tmp_path) == {}


def test_who_handed_in_no_notebook_is_in_the_table_on_the_page_and_in_the_status(tmp_path, capsys):
    folder = tmp_path / "class"
    make(folder, "ada/x.ipynb.txt", data=as_bytes(solved()))
    make(folder, "bo/x.zip", "J. Smith/")
    assert grade(folder) == 1
    said, out = capsys.readouterr().out, tmp_path / "class-graded"
    assert "graded: 1, learner's error: 0, not graded: 2" in said
    assert "not graded: bo/: it holds no notebook: x.zip: ask for the .ipynb file" in said
    table = rows(out)
    assert table["ada/x.ipynb.txt"]["points"] == "11"
    assert (table["bo/"]["learner"], table["bo/"]["status"]) == ("bo", "not graded")
    assert (table["J. Smith/"]["learner"], table["J. Smith/"]["points"]) == ("J. Smith", "")
    assert "it holds no notebook: x.zip" in (out / "class.html").read_text()
    assert "it holds no notebook: x.zip" in (out / "feedback/bo.html").read_text()


@pytest.mark.parametrize(
    ("names", "inner"),
    [
        (["Monday class/Ada/x.ipynb", "Monday class/Bob/x.ipynb", "Monday class/Cy/"], "Monday class"),
        (["a/b/Ada/x.ipynb", "a/b/Bob/x.ipynb", "readme.txt", "__MACOSX/x.ipynb"], "a/b"),
        (["Ada/x.ipynb", "Bob/x.ipynb"], "."),
        (["Ada/old/x.ipynb", "Ada/new/x.ipynb", "Bob/x.pdf"], "."),
        (["Ada/01_gradient_descent/x.ipynb", "Ada/08_adam/x.ipynb"], "."),
        (["Ada/one/two/x.ipynb"], "."),
        (["Monday class/x.pdf"], "."),
    ],
)
def test_one_folder_around_the_whole_class_is_gone_into(tmp_path, names, inner):
    make(tmp_path, *names)
    assert class_folder(tmp_path) == tmp_path / inner


def test_a_class_in_one_folder_is_no_single_learner_and_what_lies_beside_it_is_told(tmp_path, capsys):
    folder = tmp_path / "class"
    make(folder, "Monday/Ada/x.ipynb", "Monday/Bob/x.ipynb", "Monday/Cy/x.zip", "late.zip")
    assert grade(folder) == 1
    assert "Everything is in the folder 'Monday'" in capsys.readouterr().out
    table = rows(tmp_path / "class-graded")
    assert {row["learner"] for row in table.values()} == {"Ada", "Bob", "Cy", "late"}


def test_one_learner_with_a_lesson_in_several_folders_is_named(tmp_path, capsys):
    folder = tmp_path / "class"
    make(folder, "Monday/Ada/x.ipynb", "Monday/Bob/x.ipynb", "Cy/x.ipynb", data=as_bytes(lesson()))
    assert grade(folder) == 0
    said = capsys.readouterr().out
    assert f"look: 'Monday' has {LESSON} in several folders" in said
    assert said.count("look:") == 1


def test_what_a_platform_or_a_browser_adds_to_a_name_is_taken_off():
    for name, learner in {
        "Ada Lovelace_123456_assignsubmission_file_/x.ipynb": "Ada Lovelace",
        "Ada Lovelace_123456_assignsubmission_file/x.ipynb": "Ada Lovelace",
        "Ada Lovelace_123456_assignsubmission_file_01_gradient_descent.ipynb": "Ada Lovelace",
        "lovelaceada_LATE_12345_6790_01_gradient_descent.ipynb": "lovelaceada",
        "lovelaceada_12345_6790_01_gradient_descent-1.ipynb": "lovelaceada",
        "ada_01_gradient_descent (1).ipynb": "ada",
        "ada_01_gradient_descent-Copy1.ipynb": "ada",
        "ada_01_gradient_descent.ipynb.txt": "ada",
        "01_gradient_descent (1).ipynb": "01_gradient_descent (1)",
        "homework (1).ipynb": "homework (1)",
        "ada (1)/x.ipynb": "ada (1)",
        "ada_LATE_1_2_x/x.ipynb": "ada_LATE_1_2_x",
        "group_1_2_01_gradient_descent.ipynb": "group_1_2",
    }.items():
        assert learners_of([Path(name)])[Path(name)].name == learner


@pytest.mark.parametrize(
    ("names", "learners"),
    [
        (["Li_1_assignsubmission_file_/x.ipynb", "Li_2_assignsubmission_file_/x.ipynb"], ["Li_1", "Li_2"]),
        (["Li_1_assignsubmission_file_/x.ipynb", "Li/x.ipynb"], ["Li_1", "Li"]),
        (["li_12345_67890_x.ipynb", "li_54321_67891_x.ipynb"], ["li_12345", "li_54321"]),
        (["li_12345_67890_x.ipynb", "li_LATE_12345_67891_y.ipynb"], ["li", "li"]),
        (
            ["ml_2026_11111_01_gradient_descent.ipynb", "ml_2026_22222_01_gradient_descent.ipynb"],
            ["ml_2026_11111", "ml_2026_22222"],
        ),
        (["01_gradient_descent.ipynb", "01_gradient_descent (1).ipynb"],
         ["01_gradient_descent", "01_gradient_descent (1)"]),
        (["homework.ipynb", "homework (1).ipynb"], ["homework", "homework (1)"]),
    ],
)  # fmt: skip
def test_two_people_stay_two(names, learners):
    assert [found.name for found in learners_of([Path(name) for name in names]).values()] == learners


def test_with_a_lesson_a_notebook_of_another_is_not_graded_and_no_zero_is_kept_from_it(tmp_path):
    folder, out = tmp_path / "class", tmp_path / "class-graded"
    make(folder, "ada/work.ipynb", data=as_bytes(solved()))
    make(folder, "bo/work.ipynb", data=as_bytes(lesson()))
    assert grade(folder) == 0
    assert grade(folder, "--lesson", "8") == 1
    row = rows(out)["ada/work.ipynb"]
    assert (row["status"], row["points"]) == ("not graded", "")
    assert row["reason"] == f"it holds answers of {LESSON} and none of 08_adam"
    assert grade(folder, "--lesson", "1") == 0
    assert [rows(out)[f"{who}/work.ipynb"]["points"] for who in ("ada", "bo")] == ["11", "0"]


def test_a_result_of_other_limits_is_made_again(tmp_path):
    folder, out = tmp_path / "class", tmp_path / "class-graded"
    slow = "import time\nwhile time.process_time() < 2: pass\nlargest_lr = 0.05"
    make(folder, "ada/work.ipynb", data=as_bytes(solved(answers={"largest_lr": slow})))
    assert grade(folder, "--seconds", "0.3") == 0
    assert rows(out)["ada/work.ipynb"]["points"] == "10"
    assert grade(folder, "--seconds", "5") == 0
    assert rows(out)["ada/work.ipynb"]["points"] == "11"


def test_late_work_is_marked_by_the_platforms_date_or_the_files_and_keeps_its_points(tmp_path, capsys):
    folder, out = tmp_path / "class", tmp_path / "class-graded"
    names = ["ada_LATE_12345_67890_01_gradient_descent.ipynb", "bo_12346_67891_01_gradient_descent.ipynb"]
    names += ["7-8 - Cy - Nov 23, 2026 1015 AM/x.ipynb", "dee/x.ipynb"]
    make(folder, *names, data=as_bytes(solved()))
    for name in names[:3]:
        os.utime(folder / name, (1_000_000_000,) * 2)
    assert grade(folder, "--due", "2020-01-02", "--for", "csv", "--points", "1=22") == 0
    table = rows(out)
    assert [table[name]["late"] for name in names] == ["yes", "no", "yes", "yes"]
    assert table[names[2]]["handed in"] == "2026-11-23 10:15"
    assert {(row["points"], row["grade"], row["grade of"]) for row in table.values()} == {
        ("11", "22.0", "22")
    }
    assert f"For csv: {out / 'upload' / 'points.csv'}" in capsys.readouterr().out
    assert grade(folder) == 0
    assert [rows(out)[name]["late"] for name in names] == ["yes", "", "", ""]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--due", "tomorrow", "is no date: write 2026-11-23"),
        ("--points", "many", "is no number above 0"),
        ("--points", "99=3", "there is no lesson '99'"),
        ("--for", "blackboard", "invalid choice"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_words(tmp_path, capsys, option, value, said):
    make(tmp_path / "class", "ada/x.ipynb")
    assert grade(tmp_path / "class", option, value) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "class-graded").exists()


def test_a_day_that_is_given_is_over_at_its_end():
    from optim_lessons.teaching.grade_command import _moment

    assert str(_moment("2026-11-23")) == "2026-11-23 23:59:59"
    assert str(_moment("2026-11-23 18:00")) == "2026-11-23 18:00:00"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_when_the_grader_is_killed_its_workers_and_their_sandboxes_end(tmp_path):
    from optim_lessons.course.sandbox.box import _family

    folder = tmp_path / "class"
    slow = "import time\nwhile True: time.sleep(0.1)\nlargest_lr = 0.05"
    make(folder, "ada/x.ipynb", "bo/x.ipynb", data=as_bytes(solved(answers={"largest_lr": slow})))
    command = [sys.executable, "-m", "optim_lessons.course.cli", *GRADE, str(folder), "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--seconds", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    family = []

    def begun():
        # The resource tracker, two workers, and for each: its sandbox, with an exercise in it.
        family[:] = _family(process.pid)
        return len(family) >= 1 + 1 + 2 * (1 + (3 if ISOLATES else 2))

    try:
        assert until(begun, 90), family
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert until(lambda: not any(map(_runs, family)), 20), [p for p in family if _runs(p)]


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
