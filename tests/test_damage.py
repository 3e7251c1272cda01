"""A damaged notebook is named with its kind of damage, where the course starts, in check and in grade."""

import os

import pytest
from small_course import FIRST, Course, as_bytes

from optim_lessons.course import open_command
from optim_lessons.course.cli import main
from optim_lessons.course.copies import damage
from optim_lessons.course.copies.damage import Damaged, by_look, content, read
from optim_lessons.lab.shipped import shipped

WHOLE = as_bytes(FIRST | {"old": "Text mit Umlauten: äöü, κ."})
CONFLICT = WHOLE.replace(b'\n "metadata"', b'\n<<<<<<< HEAD\n "metadata"\n=======\n>>>>>>> theirs\n', 1)
KINDS = {
    "empty": (b"", "it is empty (0 bytes)"),
    "blank": (b"\n \n", "it is empty (3 bytes)"),
    "zeros": (bytes(5000), "it holds nothing but zeros"),
    "cut off": (WHOLE[:-9], "it is cut off"),
    "cut off early": (WHOLE[:40], "it is cut off"),
    "cut off in a letter": (WHOLE[: WHOLE.index("κ".encode()) + 1], "it is cut off"),
    "merge marks": (CONFLICT, "it holds git's merge marks (the first in line "),
    "merge marks, Windows": (CONFLICT.replace(b"\n", b"\r\n"), "it holds git's merge marks"),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "it is saved as UTF-16"),
    "UTF-16, no mark": (WHOLE.decode().encode("utf-16-be"), "it is saved as UTF-16"),
    "Latin-1": (WHOLE.replace("κ".encode(), b"").decode().encode("latin-1"), "it is not UTF-8 from line "),
    "BOM": (WHOLE.decode().encode("utf-8-sig"), "it begins with a byte order mark"),
    "zip": (b"PK\x03\x04" + bytes(100), "it is a zip archive"),
    "a page": (b"\n<!DOCTYPE html>\n<html></html>", "it is a web page"),
    "a comma": (WHOLE.replace(b",", b";", 1), "its JSON is broken"),
    "deep": (b"[" * 100_000 + b"}", "its JSON is broken"),
    "a list": (b"[{}]", "no notebook"),
    "a number": (b"3", "no notebook"),
    "no cells": (b"{}", "no notebook"),
    "odd cells": (b'{"cells": [3]}', "no notebook"),
    "cells of no kind": (b'{"cells": [{"source": ""}]}', "no notebook"),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS)
def test_each_kind_of_damage_has_its_name(data, kind, tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_bytes(data)
    with pytest.raises(Damaged) as found:
        read(path)
    assert str(found.value).startswith(kind) or kind in str(found.value)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 130


def test_the_line_of_the_first_merge_mark_is_named():
    line = CONFLICT.decode().splitlines().index("<<<<<<< HEAD") + 1
    assert f"the first in line {line})" in by_look(CONFLICT)


def test_what_is_no_file_is_told_as_such(tmp_path, monkeypatch):
    path = tmp_path / "x.ipynb"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Damaged, match="a link that leads nowhere"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Damaged, match="it is a folder"):
        read(path)
    path.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(path)
        with pytest.raises(Damaged, match="it is no file"):
            read(path)
        path.unlink()
    path.write_bytes(WHOLE)
    monkeypatch.setattr(damage, "READ_BYTES", 100)
    with pytest.raises(Damaged, match="clear all outputs"):
        read(path)


@pytest.mark.parametrize("path", sorted(shipped("notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_shipped_notebooks_are_whole_with_every_line_end_and_show_no_damage_at_a_look(path):
    data = path.read_bytes()
    assert by_look(data) is None
    assert content(data) == content(data.replace(b"\n", b"\r\n"))


def test_a_notebook_of_an_old_format_is_whole():
    old = b'{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["a\\r\\n", "b"]}]}]}'
    assert [cell["source"] for cell in content(old)["cells"]] == ["a\nb"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setattr(open_command, "_serve", lambda *request: 0)
    return Course(tmp_path, monkeypatch)


def files(folder):
    links = {path: os.readlink(path) for path in folder.glob("[!.]*") if path.is_symlink()}
    return {path: path.read_bytes() for path in folder.glob("[!.]*") if path not in links} | links


def test_the_start_and_check_name_the_damage_and_the_command_that_helps_and_change_nothing(course, capsys):
    where = ["--folder", str(course.copy)]
    main(where)
    (course.copy / "00_start.ipynb").write_bytes(CONFLICT)
    (course.copy / "01_first.ipynb").write_bytes(WHOLE[:200])
    (course.copy / "02_second.ipynb").unlink()
    (course.copy / "02_second.ipynb").symlink_to("nowhere")
    before = files(course.copy)
    capsys.readouterr()
    assert main(where) == 0
    started = capsys.readouterr().out
    assert main(["check", *where]) == 2
    checked = capsys.readouterr().err
    assert main(["check", "1", *where]) == 2
    checked_one = capsys.readouterr().err
    for said in (started, checked):
        for number, kind in enumerate(["merge marks", "it is cut off", "a link that leads nowhere"]):
            assert kind in said
            assert f'optim-lessons reset {number} --folder "{course.copy}"' in said
    assert "it is no whole notebook: it is cut off" in checked_one
    assert files(course.copy) == before


def test_a_copy_that_jupyterlab_kept_is_named_if_it_is_whole(course):
    path, kept = course.copy / "01_first.ipynb", course.copy / ".ipynb_checkpoints"
    kept.mkdir(parents=True)
    older = kept / "01_first-checkpoint.ipynb"
    assert str(older) not in "".join(damage.offer(path, "01_first"))
    older.write_bytes(WHOLE[:100])
    assert str(older) not in "".join(damage.offer(path, "01_first"))
    older.write_bytes(WHOLE)
    os.utime(older, (1e9, 1e9))
    assert damage.offer(path, "01_first")[1].startswith("JupyterLab has kept what you had on 2001-09-")
    assert str(older) in damage.offer(path, "01_first")[1]


def test_grade_names_the_kind_without_reading_the_notebook_outside_the_sandbox(monkeypatch):
    from optim_lessons.course.sandbox.box import Limits
    from optim_lessons.course.submission import NotJudged, judge_notebook

    monkeypatch.setattr(damage, "content", None)  # the grader never calls it
    for kind in ("merge marks", "cut off", "UTF-16", "Latin-1"):
        data, said = KINDS[kind]
        with pytest.raises(NotJudged) as refused:
            judge_notebook(data, Limits())
        assert str(refused.value).startswith(f"it is no whole notebook: {said}")
