"""The command `optim-lessons grade`: a folder of handed-in notebooks becomes a table, a page and feedback.

Each notebook's code runs in a sandbox that only computes; see submission.py. Where the system cannot isolate
it, nothing is graded, unless the teacher says that the code is to be trusted. A result is kept in a file of
its own, so a run that was killed goes on where it was, with the same seed, to the same table.
"""

import argparse
import concurrent.futures as futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import secrets
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from tqdm import tqdm

from optim_lessons import __version__
from optim_lessons.course.copies.workbook import find_lesson, make_writable_folder, named_path, write_over
from optim_lessons.lab.shipped import shipped
from optim_lessons.teaching import report, uploads
from optim_lessons.teaching.alone import alone
from optim_lessons.teaching.handed_in import class_folder, learners_of, left_out, submissions

GRADED, ERROR, NOT_GRADED = "graded", "learner's error", "not graded"

_ABOUT = """\
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


def main(argv):
    """Run the command; return 0 if all is graded, 1 if something could not be, 2 for a wrong request."""
    request = _parser().parse_args(argv)
    if request.write_image:
        return _write_image(request.write_image)
    if not request.folder:
        print("optim-lessons grade: name the folder with what was handed in", file=sys.stderr)
        return 2
    try:
        folder = _absolute(request.folder)
        out = _absolute(request.out) if request.out else Path(f"{folder}-graded")
    except LookupError as error:
        print(f"optim-lessons grade: {error}", file=sys.stderr)
        return 2
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)  # to leave nothing behind
    try:
        return _grade(request, folder, out)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, usual)


def _absolute(path):
    return Path(os.path.abspath(named_path(path)))


def _grade(request, given, out):
    try:
        if not given.is_dir():
            raise LookupError(f"there is no folder {request.folder!r}")
        if out.resolve().is_relative_to(given.resolve()):
            raise LookupError(f"the results cannot go into the folder of the submissions: {str(out)!r}")
        lesson = request.lesson and find_lesson(request.lesson)
        _points(request.points)
        folder = class_folder(given)
        found = submissions(folder, lesson)
        if not found:
            what = "notebook (*.ipynb)" if lesson is None else f"notebook that can be {lesson}"
            raise LookupError(f"there is no {what} in {str(folder)!r} or a folder in it")
        walls = _walls(trusted=request.trusted, engine=request.engine)
        make_writable_folder(out)
        with alone(out / ".lock", _TAKEN.format(str(out))):
            run = _run(out, request.seed, [lesson, request.seconds, request.memory, request.trusted])
            return _grade_into(out, run, request, walls, given, folder, found)
    except BrokenPipeError:
        raise
    except LookupError as error:
        print(f"optim-lessons grade: {error}", file=sys.stderr)
    except OSError as error:
        print(
            f"optim-lessons grade: {str(error.filename or out)!r}: {error.strerror or error}.\n"
            "What is graded is kept. When this is mended, the same command goes on from here.",
            file=sys.stderr,
        )
    return 2


def _grade_into(out, run, request, walls, given, folder, found):
    from optim_lessons.course.sandbox.box import Limits

    if folder != given:
        inner = report.printable(folder.relative_to(given).as_posix())
        print(f"Everything is in the folder {inner!r}: each folder in it is taken for a learner.")
    lesson = request.lesson and find_lesson(request.lesson)
    limits = Limits(request.seconds, request.memory << 20, (str(given), str(out)))
    options = {"lesson": lesson, "limits": limits, "seed": run["seed"], "walls": walls}
    records = grade(folder, found, out, options, jobs=request.jobs)
    records = _with_all(records, found, folder, given, lesson, request.due)
    said = {"folder": given.name, "trusted": request.trusted, "similar": request.similar}
    run = run | said | {"due": request.due, "points": _points(request.points)}
    report.write(out, records, run)
    made, without = uploads.write(out, request.form, records, run) if request.form else ([], [])
    counts = {status: sum(r["status"] == status for r in records) for status in (GRADED, ERROR, NOT_GRADED)}
    print(", ".join(f"{status}: {count}" for status, count in counts.items()))
    if request.trusted:
        print(report.TRUSTED)
    for record in records:
        if record["status"] == NOT_GRADED:
            print(f"  not graded: {report.printable(record['file'])}: {report.printable(record['reason'])}")
    for learner, of in _in_several_folders(records):
        print(f"  look: {report.printable(learner)!r} has {of} in several folders. Is it one learner's?")
    for learner in without:
        print(
            f"  look: {report.printable(learner)!r} came without a number of {request.form}: type it by hand"
        )
    print(f"The class: {out / 'class.html'}\nThe table: {out / 'grades.csv'}\nFeedback: {out / 'feedback'}")
    for path in made:
        print(f"For {request.form}: {path}")
    return 1 if counts[NOT_GRADED] else 0


def _walls(*, trusted, engine):
    """Return what keeps the learners' code in. Raises LookupError where it is not trusted and nothing can.

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
    raise LookupError(
        _NO_ISOLATION.format(why=why, tools=tools, engines="; ".join(reasons) or engine, image=walls.IMAGE)
    )


def _write_image(text):
    from optim_lessons.course.sandbox import walls

    try:
        folder = _absolute(text)
        for name, data in walls.image_files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_over(path, data)
    except (LookupError, OSError) as error:
        print(f"optim-lessons grade: {error}", file=sys.stderr)
        return 2
    print(
        f"Written to {folder}. Build the image once, with the engine that you have:\n"
        f'  podman build -t {walls.IMAGE} "{folder}"\n'
        f'  docker build -t {walls.IMAGE} -f "{folder / "Containerfile"}" "{folder}"'
    )
    return 0


def _with_all(records, found, folder, given, lesson, due):
    """Return the records, and one for each thing that cannot be graded: nobody is missing from the table.

    Each says whose it is, when it was handed in, and whether that was late.
    """
    reasons = left_out(folder, lesson)
    if folder != given:  # beside the one folder around the class
        reasons = left_out(given) | reasons
    whose = {name: Path(name, "-") if name.endswith("/") else Path(name) for name in reasons}
    others = [_empty(name) | {"reason": reason} for name, reason in reasons.items()]
    learners = learners_of([*found, *whose.values()], folder)
    for path, record in zip([*found, *whose.values()], [*records, *others], strict=True):
        learner, moment = learners[path], learners[path].date
        if moment is None and path in found:
            with contextlib.suppress(OSError):
                moment = datetime.fromtimestamp((folder / path).lstat().st_mtime)
        late = "yes" if learner.late or (due and moment and moment > due) else "no" if due and moment else ""
        record |= {"learner": learner.name, "number": learner.number, "late": late}
        record["handed_in"] = moment.strftime("%Y-%m-%d %H:%M") if moment else ""
    return [*records, *others]


def _in_several_folders(records):
    """Return the (learner, lesson) whose notebooks are in several folders, as of a class that got merged."""
    places = {}
    for record in records:
        if record["lesson"]:
            place = record["file"].rpartition("/")[0]
            places.setdefault((record["learner"], record["lesson"]), set()).add(place)
    return sorted(key for key, folders in places.items() if len(folders) > 1)


def grade(folder, found, out, options, *, jobs=1):
    """Return the records of all submissions, in order; those that are there already are not made again."""
    results, seed = out / "results", options["seed"]
    make_writable_folder(results)
    known, learners = {}, learners_of(found, folder)
    for path in found:
        record = _kept(results / _file(path), keys=("status", "digest", "file", "seal"))
        if (
            record
            and record.pop("seal") == _seal(record, seed)
            and record["status"] != NOT_GRADED
            and (record["file"], record["digest"]) == (path.as_posix(), _digest(folder / path))
        ):
            known[path] = record
    waiting = [path for path in found if path not in known]
    with tqdm(total=len(found), initial=len(known), desc="graded", unit="notebook") as bar:
        for path, record in _graded(folder, waiting, options, max(1, min(jobs, len(waiting)))):
            _write(results / _file(path), record | {"seal": _seal(record, seed)})
            known[path] = record
            bar.update()
    return [known[path] | {"learner": learners[path].name} for path in found]


def _seal(record, seed):
    """Return a hash that a record keeps, so that one that was damaged or edited is made anew."""
    return hashlib.sha256(json.dumps([record, seed], sort_keys=True).encode()).hexdigest()


def _graded(folder, waiting, options, jobs):
    """Yield (path, record). A grading process that dies is replaced.

    What was being graded is tried once more, alone: so what ends a process twice has ended it itself.
    """
    waiting, suspects, pool, running = list(waiting)[::-1], set(), None, {}
    context = multiprocessing.get_context("spawn")
    lifeline, here = context.Pipe(duplex=False)
    try:
        while waiting or running:
            if pool is None:
                pool = futures.ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(lifeline,))
            while waiting and len(running) < (1 if suspects & {waiting[-1], *running.values()} else jobs):
                path = waiting.pop()
                try:
                    running[pool.submit(grade_one, folder, path, options)] = path
                except futures.process.BrokenProcessPool:  # by one that runs, or from outside
                    waiting.append(path)
                    if not running:
                        pool.shutdown()
                        pool = None
                    break
            for done in futures.wait(running, return_when=futures.FIRST_COMPLETED).done:
                path = running.pop(done)
                try:
                    yield path, done.result()
                except futures.process.BrokenProcessPool:
                    broken, pool = pool, None
                    for other in (path, *running.values()):
                        if other in suspects:
                            reason = "the process that grades it ended, twice: please report this"
                            yield other, _record(folder, other) | {"reason": reason}
                        else:
                            suspects.add(other)
                            waiting.append(other)
                    running = {}
                    broken.shutdown()
                    break
    finally:
        if waiting or running:  # it was stopped: what is begun need not be finished
            here.close()
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        here.close()
        lifeline.close()


def _begin(lifeline):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    threading.Thread(target=_end_with_the_parent, args=[lifeline], daemon=True).start()


def _end_with_the_parent(lifeline):
    """Wait until the parent is gone, killed perhaps, then end: what learners' code still runs follows."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    if os.name == "nt":
        from optim_lessons.course.sandbox.box import OPEN

        for box in list(OPEN):
            with contextlib.suppress(Exception):
                box.kill()
    os._exit(1)


def grade_one(folder, path, options):
    """Return the record of one submission. Runs in a process of its own."""
    from optim_lessons.course.submission import UNKNOWN, NotJudged, judge_notebook, read_submission

    begun, record = time.monotonic(), _record(folder, path)
    limits, rest = options["limits"], {key: options[key] for key in ("lesson", "seed", "walls")}
    try:
        lesson, results = judge_notebook(read_submission(folder / path), limits, **rest)
    except NotJudged as error:
        return record | {"reason": str(error)}
    except Exception as error:  # a fault of ours: the learner must not pay for it
        return record | {"reason": f"the grader failed ({type(error).__name__}: {error}): please report this"}
    states = {result.state for result in results}
    status = NOT_GRADED if UNKNOWN in states else ERROR if "error" in states else GRADED
    return record | {
        "lesson": lesson,
        "status": status,
        "reason": "an exercise could not be judged: please report this" if status == NOT_GRADED else "",
        "results": [result.as_dict() for result in results],
        "points": None if status == NOT_GRADED else sum(result.points for result in results),
        "of": sum(result.of for result in results),
        "seconds": round(time.monotonic() - begun, 2),
    }


def _record(folder, path):
    return _empty(path.as_posix()) | {"digest": _digest(folder / path)}


def _empty(file):
    return {
        "file": file,
        "learner": "",
        "digest": "",
        "lesson": "",
        "status": NOT_GRADED,
        "reason": "",
        "results": [],
        "points": None,
        "of": None,
        "seconds": 0.0,
    }


# What is kept


def _run(out, seed, asked):
    """Return what a run is made of. Of a run that was begun, with the same course, the same again.

    asked: for the lesson and the limits, and whether the code is trusted.
    """
    path = out / "run.json"
    if not path.exists() and any(not there.name.startswith(".") for there in out.iterdir()):
        raise LookupError(
            f"{str(out)!r} holds other things than results of this command: name a new folder with --out"
        )
    run = {"version": __version__, "course": _course_digest(), "asked": asked}
    before = _kept(path, keys=("seed", "course", "asked", "date"))
    if before and before | run == before and seed in (None, before["seed"]):
        return before
    if before:
        print("The course, the seed, the lesson, a limit or --trusted is not as before: all is graded again.")
    for old in (out / "results").glob("*.json"):
        if re.fullmatch(r"[0-9a-f]{24}", old.stem):
            old.unlink()
    run["date"] = time.strftime("%Y-%m-%d")
    usual = before["seed"] if before else secrets.randbits(32)
    run["seed"] = usual if seed is None else seed
    _write(path, run)
    return run


def _course_digest():
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    words = (*package.rglob("*.py"), *package.rglob("*.txt"))  # a lesson's exercises are text beside code
    for path in sorted([*words, *shipped("notebooks").glob("*.ipynb")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept(path, keys):
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and all(key in record for key in keys) else None


def _digest(path):
    """Return a hash of a file's bytes; of one that cannot be read, or is no file, an empty text."""
    if not path.is_file():
        return ""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _file(path):
    return hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:24] + ".json"


def _write(path, record):
    write_over(path, json.dumps(record, indent=1).encode())


# The request


def _positive(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def _whole(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _points(texts):
    """Return lesson → points from "20" (for every lesson, "") and "4=20". Raises LookupError."""
    points = {}
    for text in texts or ():
        lesson, _, number = text.rpartition("=")
        points[find_lesson(lesson) if lesson else ""] = _most(number)
    return points


def _most(text):
    try:
        value = _positive(text)
    except argparse.ArgumentTypeError as error:
        raise LookupError(f"--points: {error}") from None
    return int(value) if value == int(value) else value


def _moment(text):
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        with contextlib.suppress(ValueError):
            end = timedelta(hours=23, minutes=59, seconds=59) if form == "%Y-%m-%d" else timedelta()
            return datetime.strptime(text, form) + end
    raise argparse.ArgumentTypeError(f"{text!r} is no date: write 2026-11-23, or '2026-11-23 18:00'")


def _parser():
    parser = argparse.ArgumentParser(
        prog="optim-lessons grade",
        description=_ABOUT,
        epilog="Exit status: 0 if all is graded, 1 if something could not be graded, 2 for a wrong request.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="what was handed in")
    parser.add_argument("--out", metavar="F", help="where the results go (default: FOLDER-graded)")
    parser.add_argument("--lesson", metavar="LESSON", help="only this lesson: its number or name")
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
        action="append",
        metavar="N",
        help="points that a lesson gives in all: 20 for each, or 4=20 for lesson 04 (may be repeated)",
    )
    parser.add_argument(
        "--similar", action="store_true", help="list functions that are the same but for their names"
    )
    parser.add_argument(
        "--jobs", type=_whole, default=os.cpu_count() or 1, metavar="N", help="at once (default: all cores)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=10.0,
        metavar="S",
        help="processor time for one exercise (default: 10)",
    )
    parser.add_argument(
        "--memory", type=_whole, default=1024, metavar="MB", help="for one exercise (default: 1024)"
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
        "--write-image", metavar="F", help="only write what a container's image is built from into a folder"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the inputs that functions are tried on (default: by chance)"
    )
    return parser
