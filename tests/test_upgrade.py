"""Nobody loses work: what a learner changed stays, whatever is installed and whenever a program dies."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import get_kernel_spec
from small_course import FIRST, SECOND, Course, as_bytes

from optim_lessons.course.cli import main
from optim_lessons.course.copies import editions, upgrade, workbook
from optim_lessons.course.copies.upgrade import put_beside, update
from optim_lessons.course.copies.upgrade_words import in_words
from optim_lessons.course.refused import Refused

LESSONS = ["00_start", "01_first", "02_second"]
MINE = FIRST | {"rule": "def my_rule(w, g):\n    return w - g", "guess": "guess = 3"}
NEW = "01_first-new-0.2.0"


@pytest.fixture
def course(tmp_path, monkeypatch):
    return Course(tmp_path, monkeypatch)


def edit(path, **cells):
    """Change cells of a notebook, by id, as a learner does."""
    notebook = json.loads(path.read_bytes())
    for cell in notebook["cells"]:
        if cell["id"] in cells:
            cell["source"] = cells[cell["id"]].splitlines(keepends=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def run_all(path):
    """Leave in a notebook what running it does: outputs, counts, metadata, an empty cell at the end."""
    notebook = json.loads(path.read_bytes())
    for count, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
        output = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}
        cell |= {"execution_count": count + 1, "outputs": [output]}
    notebook["cells"].append({"id": "e", "cell_type": "code", "metadata": {}, "source": [], "outputs": []})
    notebook["metadata"] = {"language_info": {"version": "3.13.1"}}
    path.write_text(json.dumps(notebook), encoding="utf-8")


# A copy is made and filled up


def test_a_working_copy_holds_every_lesson_byte_for_byte_and_nothing_else(course):
    course.copy = course.root / "Kurs für Zoë" / "my copy"
    (course.root / "notebooks" / "notes.txt").write_text("no lesson")
    assert update(course.copy).copied == LESSONS
    assert course.seen() == {f"{name}.ipynb": as_bytes(FIRST) for name in LESSONS}


def test_a_second_update_adds_what_is_missing_and_touches_nothing_that_is_there(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", guess="guess = 3")
    (course.copy / "02_second.ipynb").unlink()
    (course.copy / "notes.txt").write_text("my notes")
    before = course.seen()
    report = update(course.copy)
    assert report.copied == ["02_second"]
    assert not report.replaced
    assert not report.beside
    assert course.seen() == before | {"02_second.ipynb": as_bytes(FIRST)}


def test_a_copy_names_the_kernel_of_this_machine_and_is_else_what_was_shipped(course):
    shipped = json.loads(as_bytes(FIRST)) | {"metadata": {"kernelspec": {"name": "python3"}, "mine": 1}}
    course.ship("0.1.0", {"01_first": json.dumps(shipped, ensure_ascii=False).encode()})
    update(course.copy)
    copy = json.loads((course.copy / "01_first.ipynb").read_bytes())
    assert copy["metadata"].pop("kernelspec")["display_name"] == get_kernel_spec("python3").display_name
    assert copy["metadata"].pop("language_info") == IPythonKernel().language_info
    assert copy == shipped | {"metadata": {"mine": 1}}


# A newer course


def test_on_an_upgrade_an_untouched_lesson_is_replaced_and_an_edited_one_stays_beside_the_new_one(course):
    update(course.copy)
    mine = course.copy / "01_first.ipynb"
    edit(mine, rule=MINE["rule"])
    before = mine.read_bytes()
    course.ship("0.2.0", {"00_start": SECOND, "01_first": SECOND, "03_third": FIRST})
    report = update(course.copy)
    assert (report.copied, report.replaced) == (["03_third"], ["00_start"])
    assert [(new.lesson, new.path.name, new.filled) for new in report.beside] == [
        ("01_first", f"{NEW}.ipynb", ["my_rule"])
    ]
    assert mine.read_bytes() == before
    assert (course.copy / "00_start.ipynb").read_bytes() == as_bytes(SECOND)
    assert (course.copy / "02_second.ipynb").read_bytes() == as_bytes(FIRST)
    names = {"00_start", "01_first", "02_second", "03_third", NEW}
    assert course.seen().keys() == {f"{name}.ipynb" for name in names} | {f"{NEW}.md"}


def test_the_new_edition_beside_is_a_whole_notebook_with_the_learners_answers(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", rule=MINE["rule"])
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    text = (course.copy / f"{NEW}.ipynb").read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) + "\n" == text
    sources = {cell["id"]: cell["source"] for cell in notebook["cells"]}
    assert sources == SECOND | {"rule": MINE["rule"]}


def test_without_an_answer_the_new_edition_beside_is_the_shipped_file(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", title="# My title")
    course.ship("0.2.0", {"01_first": SECOND})
    assert update(course.copy).beside[0].filled == []
    assert (course.copy / f"{NEW}.ipynb").read_bytes() == as_bytes(SECOND)


def test_a_notebook_that_was_only_run_stays_and_is_told_of_the_new_edition(course):
    update(course.copy)
    run_all(course.copy / "01_first.ipynb")
    before = course.seen()
    assert not update(course.copy).beside
    course.ship("0.2.0", {"01_first": SECOND})
    assert [new.lesson for new in update(course.copy).beside] == ["01_first"]
    assert before.items() <= course.seen().items()


def test_a_new_edition_is_put_beside_once_even_if_it_is_deleted_or_worked_in(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", guess="guess = 3")
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    edit(course.copy / f"{NEW}.ipynb", guess="guess = 4")
    after = course.seen()
    assert not update(course.copy).beside
    assert course.seen() == after
    (course.copy / f"{NEW}.ipynb").unlink()
    assert not update(course.copy).beside


def test_two_editions_of_one_version_get_two_names(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", title="# Mine")
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    course.ship("0.2.0", {"01_first": SECOND | {"old": "Text that came later."}})
    assert update(course.copy).beside[0].path.name == f"{NEW}-2.ipynb"
    assert (course.copy / f"{NEW}.ipynb").read_bytes() == as_bytes(SECOND)


def test_a_learner_who_goes_on_with_the_new_edition_is_compared_with_that_one_next_time(course):
    update(course.copy)
    mine = course.copy / "01_first.ipynb"
    edit(mine, guess="guess = 3")
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    mine.rename(course.copy / "old.ipynb")
    (course.copy / f"{NEW}.ipynb").rename(mine)
    course.ship("0.3.0", {"01_first": SECOND | {"more": "## 2 · More\nText."}})
    (new,) = update(course.copy).beside
    assert new.began == "0.2.0"
    assert [change.kind for change in new.changes] == ["changed"]


def test_new_outputs_alone_are_no_new_edition_for_a_notebook_that_was_edited(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", guess="guess = 3")
    before = course.seen()
    course.ship("0.2.0", {"01_first": as_bytes(FIRST) + b"\n"})
    assert not update(course.copy).beside
    assert course.seen() == before


def test_an_older_course_brings_nothing_back_and_says_so(course, capsys):
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    edit(course.copy / "01_first.ipynb", guess="guess = 3")
    before = course.seen()
    course.ship("0.1.9", {"00_start": SECOND, "01_first": FIRST})
    assert update(course.copy).newer == "0.2.0"
    assert course.seen() == before


def test_a_link_in_a_lessons_place_is_never_replaced(course):
    course.copy.mkdir()
    target = course.root / "elsewhere.ipynb"
    target.write_bytes(as_bytes(FIRST))
    (course.copy / "01_first.ipynb").symlink_to(target)
    update(course.copy)
    course.ship("0.2.0", {"01_first": SECOND})
    assert [new.lesson for new in update(course.copy).beside] == ["01_first"]
    assert (course.copy / "01_first.ipynb").is_symlink()
    assert target.read_bytes() == as_bytes(FIRST)


def test_a_file_saved_at_the_last_moment_is_not_replaced(course, monkeypatch):
    update(course.copy)
    course.ship("0.2.0", {"01_first": SECOND})
    draft = upgrade.write_draft

    def saved_meanwhile(path, data):
        if path.name == "01_first.ipynb":
            edit(path, guess="guess = 3")
        return draft(path, data)

    monkeypatch.setattr(upgrade, "write_draft", saved_meanwhile)
    report = update(course.copy)
    assert not report.replaced
    assert "guess = 3" in (course.copy / "01_first.ipynb").read_text()
    assert report.beside[0].path.exists()


# Without a record


@pytest.mark.parametrize("record", ["none", "cut off", "other JSON", "a folder"])
def test_a_lost_record_costs_no_work_and_one_list_that_says_what_it_compares(course, record):
    update(course.copy)
    for name in ("00_start", "01_first"):
        edit(course.copy / f"{name}.ipynb", guess="guess = 3")
        run_all(course.copy / f"{name}.ipynb")
        kept = course.copy / editions.RECORD / f"{name}.json"
        content = kept.read_bytes()
        kept.unlink()
        if record == "a folder":
            kept.mkdir()
        elif record != "none":
            kept.write_bytes(content[:100] if record == "cut off" else b'{"editions": [{"version": 1}]}')
    before = course.seen()
    if record == "a folder":
        with pytest.raises(OSError, match="directory"):
            update(course.copy)
        assert course.seen() == before
        return
    course.ship("0.2.0", {"01_first": SECOND})
    report = update(course.copy)
    (new,) = report.beside  # 00_start's cells are those of the installed course, all but answers
    assert (new.lesson, new.began, new.filled) == ("01_first", "", ["guess"])
    said = "\n".join(in_words(report, course.copy))
    assert "has new editions" not in said
    assert "not recorded what yours began as" in said
    assert "your own file" in (course.copy / f"{NEW}.md").read_text(encoding="utf-8")
    assert "guess" not in [change.cell for change in new.changes]
    assert before.items() <= course.seen().items()
    assert not update(course.copy).beside


def test_the_record_stays_small(course):
    for number in range(20):
        course.ship(f"0.{number}.0", {"01_first": FIRST | {"old": f"Text of edition {number}."}})
        update(course.copy)
        if number == 0:
            edit(course.copy / "01_first.ipynb", guess="guess = 3")
    kept = editions.recorded(course.copy, "01_first")
    assert len(kept) <= 5
    assert kept[0].version == "0.0.0"  # what the learner began with is not forgotten
    assert kept[-1].version == "0.19.0"


# A program that is killed

KILLED = """
import os, pathlib, shutil, signal, sys
from optim_lessons.course.copies import carry, changes, damage, editions, upgrade, upgrade_words, workbook

root, step = pathlib.Path(sys.argv[1]), int(sys.argv[2])
files = {m.__file__ for m in (editions, upgrade, upgrade_words, workbook)}
upgrade.__version__ = "0.2.0"
workbook.shipped = root.joinpath
copy = root / "copy"
actions = {
    "update": lambda: upgrade.update(copy),
    "reset": lambda: upgrade.put_beside(copy, "01_first-fresh", workbook.pristine("01_first")),
}
act = actions[sys.argv[3]]

def visible():
    return {path.name: path.read_bytes() for path in copy.glob("[!.]*")}

def killed_at(line):
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1] != 0

    def trace(frame, event, argument):
        nonlocal line
        if frame.f_code.co_filename not in files:
            return None
        line -= event == "line"
        if line < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    act()
    os._exit(0)

if copy.exists():
    shutil.copytree(copy, root / "before")
else:
    (root / "before").mkdir()
before = {path.name: path.read_bytes() for path in (root / "before").glob("[!.]*")}
act()
whole = visible()
line = 0
while True:
    shutil.rmtree(copy)
    shutil.copytree(root / "before", copy)
    killed = killed_at(line)
    now = visible()
    for name in now.keys() | before.keys():
        assert now.get(name) in (before.get(name), whole.get(name)), (line, name)
        assert name in now or name not in before, (line, name)
    act()
    assert visible() == whole, (line, visible().keys())
    if not killed:
        break
    line += step
print(line)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks at every line")
@pytest.mark.parametrize(
    ("action", "step"),
    [("update", 11), ("reset", 1), pytest.param("update", 3, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("begin", ["empty", "old"])
def test_killed_at_any_line_nothing_is_lost_or_half_and_the_next_run_ends_the_same(
    course, action, step, begin
):
    course.copy.mkdir()
    if begin == "old":
        update(course.copy)
        edit(course.copy / "01_first.ipynb", rule=MINE["rule"])
    course.ship("0.2.0", {"00_start": SECOND, "01_first": SECOND, "03_third": FIRST})
    command = [sys.executable, "-c", KILLED, str(course.root), str(step), action]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > (10 if action == "reset" else 100), "the program was hardly ever killed"


def test_old_drafts_of_killed_programs_are_removed_and_those_of_a_neighbour_stay(course):
    update(course.copy)
    old = [course.copy, course.copy / editions.RECORD]
    old = [folder / f".01_first-{'a' * 32}.part" for folder in old]
    young = course.copy / f".01_first-{'b' * 32}.part"
    theirs = course.copy / ".mine.part"
    for path in (*old, young, theirs):
        path.write_bytes(b"half")
    for path in (*old, theirs):
        os.utime(path, (time.time() - 90_000,) * 2)
    update(course.copy)
    assert not any(path.exists() for path in old)
    assert young.exists()
    assert theirs.exists()


def test_two_programs_at_once_make_one_copy_and_one_new_edition(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", rule=MINE["rule"])
    course.ship("0.2.0", {"00_start": SECOND, "01_first": SECOND, "03_third": FIRST})
    start, failed = threading.Barrier(4), []

    def one():
        start.wait()
        try:
            update(course.copy)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    names = {"00_start", "01_first", "02_second", "03_third", NEW}
    assert course.seen().keys() == {f"{name}.ipynb" for name in names} | {f"{NEW}.md"}
    assert not list(course.copy.rglob(".*.part"))


# A folder or a disk that does not take it


@pytest.mark.parametrize("place", ["copied", "replaced", "beside", "record"])
def test_a_disk_that_fills_up_leaves_every_file_whole_and_the_next_start_goes_on(course, monkeypatch, place):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", rule=MINE["rule"])
    before = course.seen()
    course.ship("0.2.0", {"00_start": SECOND, "01_first": SECOND, "03_third": FIRST})
    full = {"copied": "03_third", "replaced": "00_start", "beside": NEW, "record": "01_first"}[place]
    fsync, drafts = os.fsync, []

    def no_room(descriptor):
        (draft,) = course.copy.rglob(".*.part")
        drafts.append(draft)
        if draft.name.startswith(f".{full}-") and (place != "record" or editions.RECORD in str(draft)):
            os.ftruncate(descriptor, 5)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space left"):
            update(course.copy)
    assert drafts
    assert not list(course.copy.rglob(".*.part"))
    for name, data in course.seen().items():
        assert data == before.get(name) or data == as_bytes(SECOND) or name.startswith((NEW, "03"))
    assert course.seen()["01_first.ipynb"] == before["01_first.ipynb"]
    update(course.copy)
    after = course.seen()
    assert after["00_start.ipynb"] == as_bytes(SECOND)
    assert after["03_third.ipynb"] == as_bytes(FIRST)
    assert b"return w - g" in after[f"{NEW}.ipynb"]


START = """
import os, pathlib, sys
from optim_lessons.course import cli, open_command
from optim_lessons.course.copies import carry, changes, upgrade, workbook
workbook.shipped = pathlib.Path(sys.argv[1]).joinpath
workbook.source_tree = lambda: None
upgrade.__version__ = "0.2.0"
open_command._serve = lambda *request: print("served") or 0
cli.parser_of("", open_command).parse_args([])  # loads what this user could not read
if os.geteuid() == 0:  # root may do everything: become a user who may not
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(cli.main(["0", "--folder", sys.argv[2]]))
"""
needs_rights = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the rights of files are not POSIX's")


def as_another_user(course):
    """Run the command as somebody without rights, whoever runs the tests."""
    command = [sys.executable, "-c", START, str(course.root), str(course.copy)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def open_to_all(path):
    """Let every user reach a folder of pytest's."""
    while path.stat().st_uid == os.geteuid() and path != Path(path.anchor):
        path.chmod(path.stat().st_mode | 0o755)
        path = path.parent


@needs_rights
def test_a_copy_of_another_users_is_refused_by_name_and_stays_as_it_is(course):
    update(course.copy)
    open_to_all(course.copy)
    course.copy.chmod(0o555)
    before = course.seen()
    course.ship("0.2.0", {"00_start": SECOND})
    done = as_another_user(course)
    course.copy.chmod(0o755)
    assert done.returncode == 2
    assert "Permission denied" in done.stderr
    assert "What is there stays as it is" in done.stderr
    assert ("belongs to the user" in done.stderr) == (os.geteuid() == 0)
    assert course.seen() == before


@needs_rights
def test_a_lesson_that_cannot_be_saved_or_read_is_named_before_it_is_opened(course):
    update(course.copy)
    open_to_all(course.copy)
    course.copy.chmod(0o777)
    (course.copy / editions.RECORD).chmod(0o777)
    (course.copy / "01_first.ipynb").chmod(0o444)
    (course.copy / "02_second.ipynb").chmod(0)
    course.ship("0.2.0", {"01_first": SECOND})
    done = as_another_user(course)
    assert done.returncode == 0, done.stderr
    assert "You may read 01_first.ipynb but not write to it" in done.stdout
    assert f'optim-lessons reset 1 --folder "{course.copy}"' in done.stdout
    assert "02_second.ipynb is damaged: it cannot be read (Permission denied)" in done.stdout
    assert (course.copy / "01_first.ipynb").read_bytes() == as_bytes(FIRST)
    assert (course.copy / f"{NEW}.ipynb").read_bytes() == as_bytes(SECOND)


def test_on_windows_a_lesson_that_another_program_has_open_stays(course, monkeypatch):
    update(course.copy)
    course.ship("0.2.0", {"01_first": SECOND})
    replace = os.replace

    def locked(source, target):
        if target.name == "01_first.ipynb":
            raise PermissionError(errno.EACCES, "in use")
        replace(source, target)

    monkeypatch.setattr(os, "replace", locked)
    assert [new.lesson for new in update(course.copy).beside] == ["01_first"]
    assert (course.copy / "01_first.ipynb").read_bytes() == as_bytes(FIRST)
    assert not list(course.copy.rglob(".*.part"))


# Damaged files


def test_a_damaged_lesson_is_told_and_neither_touched_nor_joined_by_a_new_edition(course):
    update(course.copy)
    path = course.copy / "01_first.ipynb"
    path.write_bytes(as_bytes(MINE)[:300])
    before = course.seen()
    course.ship("0.2.0", {"01_first": SECOND})
    report = update(course.copy)
    assert report.damaged == {"01_first": "it is cut off: its end is missing"}
    assert course.seen() == before
    path.write_bytes(as_bytes(MINE))  # mended: now the new edition comes
    assert [new.filled for new in update(course.copy).beside] == [["my_rule", "guess"]]


# Names


def test_a_notebook_beside_takes_the_first_free_name_and_is_not_written_twice(tmp_path):
    assert put_beside(tmp_path, "x-fresh", b"1") == (tmp_path / "x-fresh.ipynb", True)
    assert put_beside(tmp_path, "x-fresh", b"1") == (tmp_path / "x-fresh.ipynb", False)
    (tmp_path / "x-fresh.ipynb").write_bytes(b"mine")
    (tmp_path / "x-fresh-2.ipynb").mkdir()
    assert put_beside(tmp_path, "x-fresh", b"1") == (tmp_path / "x-fresh-3.ipynb", True)


def test_what_is_put_beside_is_no_lesson_and_has_a_name_for_every_system(course):
    update(course.copy)
    edit(course.copy / "01_first.ipynb", guess="guess = 3")
    course.ship("0.2.0", {"01_first": SECOND})
    update(course.copy)
    assert workbook.lessons() == LESSONS
    with pytest.raises(Refused):
        workbook.find_lesson(NEW)
    for name in course.seen():
        assert not set(name) & set('<>:"/\\|?* ')
        assert name == name.strip(" .")


def test_the_command_says_what_it_did_and_opens_the_lesson(course, monkeypatch, capsys):
    from optim_lessons.course import open_command

    monkeypatch.setattr(open_command, "_serve", lambda *request: 0)
    assert main(["--folder", str(course.copy)]) == 0
    assert capsys.readouterr().out == f"Your copy of the course: {course.copy} (3 new, 0 kept)\n"
    edit(course.copy / "01_first.ipynb", rule=MINE["rule"])
    (course.copy / "02_second.ipynb").write_bytes(b"")
    course.ship("0.2.0", {"00_start": SECOND, "01_first": SECOND})
    assert main(["--folder", str(course.copy)]) == 0
    assert (
        capsys.readouterr().out
        == f"""\
Your copy of the course: {course.copy} (0 new, 1 replaced, 2 kept)
The installed course, version 0.2.0, has new editions of lessons.
  You had changed nothing in these, so they were replaced: 00_start
  01_first: yours stays as it is. The new one is beside it: {NEW}.ipynb
    your answers are filled in: my_rule
    1 · The part: 1 changed, 1 gone
    2 · More: 1 new
    the whole list, and how to go on with the new one: {NEW}.md
02_second.ipynb is damaged: it is empty (0 bytes).
  Your file stays as it is. For a fresh copy beside it: optim-lessons reset 2 --folder "{course.copy}"
"""
    )
