"""The command `optim-lessons grade`: a folder of handed-in notebooks becomes a table, a page and feedback.

Where the system cannot isolate the learners' code, nothing is graded, unless the teacher says that the code
is to be trusted.
"""

import argparse
import contextlib
import os
import signal
import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from optim_lessons.course.arguments import LESSON, whole
from optim_lessons.course.copies.workbook import find_lesson, make_writable_folder, named_path, write_over
from optim_lessons.course.refused import Refused
from optim_lessons.teaching import report, uploads
from optim_lessons.teaching.alone import alone
from optim_lessons.teaching.grade import (
    ERROR,
    GRADED,
    NOT_GRADED,
    grade,
    in_several_folders,
    run_of,
    with_all,
)
from optim_lessons.teaching.handed_in import class_folder, submissions

ABOUT = """\
Grade the notebooks in FOLDER and in the folders in it. A learner is the first folder below FOLDER,
or the file's name where there is none. The lesson is told from what the notebook defines."""

_NO_ISOLATION = """\
nothing was graded, for this system cannot isolate the learners' code: {why}.
Without isolation it runs as you: it could read and change your files, the grades too, and use the network.
The ways on:
  - Grade on Linux, in a virtual machine or in WSL perhaps, with the programs {tools}
    and the library libseccomp.
    Where users may not make namespaces (some systems refuse, and most containers), run it as root.
  - Install podman or docker, on any system, and build the image once ({engines}):
    optim-lessons grade --write-image box && podman build -t {image} box
  - Add --trusted, if you have read the code of this class or trust it. The usual limits hold, nothing
    protects against malice, and every table and page says so."""

_TAKEN = """\
another run of this command is writing to {!r} (process {{}}).
Wait until it has ended, or name another folder with --out."""


def add_arguments(parser):
    """Add what the command takes."""
    parser.add_argument("folder", nargs="?", type=named_path, metavar="FOLDER", help="what was handed in")
    parser.add_argument(
        "--out", type=named_path, metavar="F", help="where the results go (default: FOLDER-graded)"
    )
    parser.add_argument("--lesson", type=find_lesson, metavar="LESSON", help=f"only this one: {LESSON}")
    parser.add_argument(
        "--for",
        dest="form",
        choices=("moodle", "canvas", "csv"),
        help="also write the points as this system takes them in, into the folder upload",
    )
    parser.add_argument(
        "--due", type=_moment, metavar="DATE", help="mark what came after it as late; it costs nothing"
    )
    parser.add_argument(
        "--points",
        type=_points,
        action="append",
        default=[],
        metavar="N",
        help="points that a lesson gives in all: 20 for each, or 4=20 for lesson 04 (may be repeated)",
    )
    parser.add_argument(
        "--similar", action="store_true", help="list functions that are the same but for their names"
    )
    parser.add_argument(
        "--jobs",
        type=whole(1),
        default=os.cpu_count() or 1,
        metavar="N",
        help="notebooks at once (default: all cores)",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=10.0,
        metavar="S",
        help="processor time for one exercise (default: 10)",
    )
    parser.add_argument(
        "--memory", type=whole(1), default=1024, metavar="MB", help="memory for one exercise (default: 1024)"
    )
    parser.add_argument(
        "--trusted",
        action="store_true",
        help="do not isolate the code: only limits hold, for a class whose code you have read or trust",
    )
    parser.add_argument(
        "--engine",
        choices=("namespaces", "podman", "docker"),
        help="what isolates the code (default: the namespaces of Linux, else an engine with the image)",
    )
    parser.add_argument(
        "--write-image",
        type=named_path,
        metavar="F",
        help="only write what a container's image is built from into a folder",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the inputs that functions are tried on (default: by chance)"
    )
    parser.epilog = (
        "Exit status: 0 if all is graded, 1 if something could not be graded, 2 for a wrong request."
    )


def run(arguments):
    """Grade; return 0 if all is graded, 1 if something could not be."""
    if arguments.write_image:
        return _write_image(_absolute(arguments.write_image))
    if not arguments.folder:
        raise Refused("name the folder with what was handed in")
    folder = _absolute(arguments.folder)
    out = _absolute(arguments.out) if arguments.out else Path(f"{folder}-graded")
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)  # to leave nothing behind
    try:
        return _grade(arguments, folder, out)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, usual)


def _absolute(path):
    return Path(os.path.abspath(path))


def _grade(arguments, given, out):
    if not given.is_dir():
        raise Refused(f"there is no folder {str(arguments.folder)!r}")
    if out.resolve().is_relative_to(given.resolve()):
        raise Refused(f"the results cannot go into the folder of the submissions: {str(out)!r}")
    lesson = arguments.lesson
    folder = class_folder(given)
    found = submissions(folder, lesson)
    if not found:
        what = "notebook (*.ipynb)" if lesson is None else f"notebook that can be {lesson}"
        raise Refused(f"there is no {what} in {str(folder)!r} or a folder in it")
    walls = _walls(trusted=arguments.trusted, engine=arguments.engine)
    try:
        make_writable_folder(out)
        with alone(out / ".lock", _TAKEN.format(str(out))):
            asked = [lesson, arguments.seconds, arguments.memory, arguments.trusted]
            return _grade_into(
                out, run_of(out, arguments.seed, asked), arguments, walls, given, folder, found
            )
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused(
            f"{str(error.filename or out)!r}: {error.strerror or error}.\n"
            "What is graded is kept. When this is mended, the same command goes on from here."
        ) from error


def _grade_into(out, run, arguments, walls, given, folder, found):
    from optim_lessons.course.sandbox.box import Limits

    if folder != given:
        inner = report.printable(folder.relative_to(given).as_posix())
        print(f"Everything is in the folder {inner!r}: each folder in it is taken for a learner.")
    lesson = arguments.lesson
    limits = Limits(arguments.seconds, arguments.memory << 20, (str(given), str(out)))
    options = {"lesson": lesson, "limits": limits, "seed": run["seed"], "walls": walls}
    records = grade(folder, found, out, options, jobs=arguments.jobs)
    records = with_all(records, found, folder, given, lesson, arguments.due)
    said = {"folder": given.name, "trusted": arguments.trusted, "similar": arguments.similar}
    run = run | said | {"due": arguments.due, "points": dict(arguments.points)}
    report.write(out, records, run)
    made, without = uploads.write(out, arguments.form, records, run) if arguments.form else ([], [])
    counts = {status: sum(r["status"] == status for r in records) for status in (GRADED, ERROR, NOT_GRADED)}
    print(", ".join(f"{status}: {count}" for status, count in counts.items()))
    if arguments.trusted:
        print(report.TRUSTED)
    for record in records:
        if record["status"] == NOT_GRADED:
            print(f"  not graded: {report.printable(record['file'])}: {report.printable(record['reason'])}")
    for learner, of in in_several_folders(records):
        print(f"  look: {report.printable(learner)!r} has {of} in several folders. Is it one learner's?")
    for learner in without:
        name = report.printable(learner)
        print(f"  look: {name!r} came without a number of {arguments.form}: type it by hand")
    print(f"The class: {out / 'class.html'}\nThe table: {out / 'grades.csv'}\nFeedback: {out / 'feedback'}")
    for path in made:
        print(f"For {arguments.form}: {path}")
    return 1 if counts[NOT_GRADED] else 0


def _walls(*, trusted, engine):
    """Return what keeps the learners' code in. Raises Refused where it is not trusted and nothing can.

    engine: "namespaces", a container engine's name, or None for the first that is there.
    """
    # Here, not above: it takes a second that a wrong name need not wait for.
    from optim_lessons.course.sandbox import box, walls

    if trusted:
        return walls.trusted
    why = box.why_not_isolated() if engine in (None, "namespaces") else "another engine is asked for"
    if not why:
        return walls.namespaces
    reasons = []
    for name in walls.ENGINES if engine is None else [engine]:
        if name != "namespaces":
            reasons.append(walls.why_no_container(name))
            if not reasons[-1]:
                return partial(walls.container, name)
    tools = ", ".join(walls.TOOLS)
    why = why if engine in (None, "namespaces") else reasons.pop()
    raise Refused(
        _NO_ISOLATION.format(why=why, tools=tools, engines="; ".join(reasons) or engine, image=walls.IMAGE)
    )


def _write_image(folder):
    from optim_lessons.course.sandbox import walls

    for name, data in walls.image_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_over(path, data)
    print(
        f"Written to {folder}. Build the image once, with the engine that you have:\n"
        f'  podman build -t {walls.IMAGE} "{folder}"\n'
        f'  docker build -t {walls.IMAGE} -f "{folder / "Containerfile"}" "{folder}"'
    )
    return 0


def _positive(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _points(text):
    """Return (lesson, points) from "4=20", and ("", points), for every lesson, from "20"."""
    lesson, _, number = text.rpartition("=")
    value = _positive(number)
    return find_lesson(lesson) if lesson else "", int(value) if value == int(value) else value


def _moment(text):
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        with contextlib.suppress(ValueError):
            end = timedelta(hours=23, minutes=59, seconds=59) if form == "%Y-%m-%d" else timedelta()
            return datetime.strptime(text, form) + end
    raise argparse.ArgumentTypeError(f"{text!r} is no date: write 2026-11-23, or '2026-11-23 18:00'")
