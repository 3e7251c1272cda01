"""Grades a folder of handed-in notebooks: each becomes a record.

Each notebook's code runs in a sandbox that only computes; see submission.py. A record is kept in a file of
its own, so a run that was killed goes on where it was, with the same seed, to the same table.
"""

import concurrent.futures as futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import secrets
import signal
import threading
import time
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from optim_lessons import __version__
from optim_lessons.course.copies.workbook import make_writable_folder, write_over
from optim_lessons.course.refused import Refused
from optim_lessons.lab.shipped import shipped
from optim_lessons.teaching.handed_in import learners_of, left_out

GRADED, ERROR, NOT_GRADED = "graded", "learner's error", "not graded"


def with_all(records, found, folder, given, lesson, due):
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


def in_several_folders(records):
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


def run_of(out, seed, asked):
    """Return what a run is made of. Of a run that was begun, with the same course, the same again.

    asked: for the lesson and the limits, and whether the code is trusted.
    """
    path = out / "run.json"
    if not path.exists() and any(not there.name.startswith(".") for there in out.iterdir()):
        raise Refused(
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
