"""`optim-lessons reset` puts a fresh copy beside the learner's file, never over it."""

import errno
import os

import pytest
from small_course import FIRST, Course, as_bytes

from optim_lessons.course.cli import main


@pytest.fixture
def course(tmp_path, monkeypatch):
    made = Course(tmp_path, monkeypatch)
    made.copy.mkdir()
    (made.copy / "01_first.ipynb").write_bytes(b"mine")
    return made


@pytest.mark.parametrize("wanted", ["1", "01", "first", "01_first.ipynb"])
def test_a_fresh_copy_is_put_beside_and_its_name_is_told(course, capsys, wanted):
    assert main(["reset", wanted, "--folder", str(course.copy)]) == 0
    said = capsys.readouterr().out
    assert f"A fresh copy of the lesson: {course.copy / '01_first-fresh.ipynb'}\n" in said
    assert course.seen() == {"01_first.ipynb": b"mine", "01_first-fresh.ipynb": as_bytes(FIRST)}


def test_twice_says_that_it_is_there_and_after_work_in_it_there_is_a_second_one(course, capsys):
    command = ["reset", "1", "--folder", str(course.copy)]
    main(command)
    assert main(command) == 0
    assert "is there already" in capsys.readouterr().out
    assert len(course.seen()) == 2
    (course.copy / "01_first-fresh.ipynb").write_bytes(b"worked in")
    assert main(command) == 0
    assert "01_first-fresh-2.ipynb" in capsys.readouterr().out
    assert course.seen() == {
        "01_first.ipynb": b"mine",
        "01_first-fresh.ipynb": b"worked in",
        "01_first-fresh-2.ipynb": as_bytes(FIRST),
    }


def test_a_lesson_that_is_not_there_is_answered_with_the_list(course, capsys):
    assert main(["reset", "9", "--folder", str(course.copy)]) == 2
    assert "there is no lesson '9'. The lessons are:\n  00_start" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_not_made(course, capsys):
    assert main(["reset", "1", "--folder", str(course.root / "typo")]) == 2
    assert "Open the course first with `optim-lessons`" in capsys.readouterr().err
    assert not (course.root / "typo").exists()


def test_without_a_lesson_it_says_what_it_takes(course, capsys):
    assert main(["reset"]) == 2
    assert "LESSON.\nWhat it takes: optim-lessons reset --help" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_takes_no_file_is_named_with_the_reason_and_nothing_is_lost(
    course, monkeypatch, capsys, number
):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    assert main(["reset", "1", "--folder", str(course.copy)]) == 2
    error = capsys.readouterr().err
    assert os.strerror(number) in error
    assert "What is there stays as it is" in error
    assert [path.name for path in course.copy.iterdir()] == ["01_first.ipynb"]
