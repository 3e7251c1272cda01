"""Judge one notebook. Its code runs in a sandbox; the verdicts are those of `check`, by the same functions.

The learner's function is in the sandbox, and a stand-in for it here: a call of the stand-in asks the sandbox.
So a rule's verdict, named mistakes and all, comes from plain numbers. Nothing of the learner's runs here.
"""

import inspect
import stat
from dataclasses import asdict, dataclass
from functools import cache

from optim_lessons.course import notebook
from optim_lessons.course.copies import workbook
from optim_lessons.course.copies.damage import READ_BYTES, by_look
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.verdict import Code, quote, still_open, wrong
from optim_lessons.course.sandbox.box import Box, Ended, NotStarted, rebuilt
from optim_lessons.course.sandbox.child import decode
from optim_lessons.course.sandbox.walls import trusted
from optim_lessons.course.sandbox.watchdog import SECONDS, Stopped

RIGHT, WRONG, OPEN, ERROR, UNKNOWN = "right", "wrong", "open", "error", "not graded"
COMPUTED = ("number", "goal")  # the kinds whose answer may be what a tool of the course returns
_JUDGE_SECONDS = 600  # the judge's own limit: the sandbox has ended the learner's code long before


class NotJudged(Exception):
    """What keeps a notebook from being judged: what it is, and what to do."""


@dataclass(frozen=True)
class Result:
    """What became of one exercise.

    state: right, wrong, open, error (the learner's code does not run) or not graded.  mistake: its name.
    answer: the learner's own text.
    """

    id: str
    name: str
    state: str
    points: int
    of: int
    mistake: str | None
    text: str
    answer: str = ""

    def as_dict(self):
        """Return it as JSON can hold it."""
        return asdict(self)


def judge_notebook(data, limits, *, lesson=None, seed=0, walls=trusted):
    """Return the lesson and a list of a Result for each of its exercises.

    data: the notebook's bytes.  lesson: its name, or None to tell it from the names that it defines.
    seed: of the inputs that functions are tried on.  walls: what keeps the code in, from sandbox/walls.py.
    Raises NotJudged.
    """
    if not data.strip():
        raise NotJudged("the file is empty: ask for it again")
    names = [exercise.name for exercise in EXERCISES.values()]
    try:
        with Box(data, names, limits, walls=walls) as box:
            lesson, asked = lesson or lesson_of(box.found), lesson
            wanted = exercises_of(lesson)
            if not wanted:
                return lesson, []
            if asked and box.found and not any(e.name in box.found for e in wanted):
                raise NotJudged(f"it holds answers of {lesson_of(box.found)} and none of {lesson}")
            needing = box.lesson(pristine(lesson), [e.name for e in wanted])
            inside = {e.id: None for e in wanted}
            for exercise in wanted:
                if exercise.name not in needing or exercise.kind not in COMPUTED:
                    inside[exercise.id] = _judge(exercise, box, limits, seed)
        rest = [e for e in wanted if inside[e.id] is None]
        if rest:  # values that are computed with the course's own tools
            with Box(data, names, limits, course=True, walls=walls) as box:
                box.lesson(pristine(lesson), [e.name for e in wanted])
                for exercise in rest:
                    inside[exercise.id] = _judge(exercise, box, limits, seed)
    except NotStarted as error:
        # At a look only: what others hand in is read where limits hold.
        kind = by_look(data) if "JSON is broken" in str(error) else None
        said = f"it is no whole notebook: {kind}" if kind else str(error)
        raise NotJudged(f"{said}. Look at the file, or ask for it again") from None
    return lesson, list(inside.values())


def read_submission(path):
    """Return a notebook's bytes. Raises NotJudged for what is no file of a notebook's size."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise NotJudged("it is a link or something else that is no file: ask for the notebook itself")
        if about.st_size > READ_BYTES:
            raise NotJudged(
                f"the file has {about.st_size / 1e6:,.0f} MB, and at most {READ_BYTES / 1e6:.0f} are "
                "read: open it, clear all outputs, save it, and hand it in again"
            )
        return path.read_bytes()
    except OSError as error:
        raise NotJudged(f"the file cannot be read ({error.strerror}): look at its rights") from None


def lesson_of(names):
    """Return the lesson most of these exercises' names belong to. Raises NotJudged if there is none."""
    ids = [e.id[:2] for e in EXERCISES.values() if e.name in names]
    known = [lesson for lesson in workbook.lessons() if lesson[:2] in ids]
    if not known:
        raise NotJudged("no cell of it defines an answer of any lesson: is it the right file?")
    return max(known, key=lambda lesson: ids.count(lesson[:2]))


def exercises_of(lesson):
    """Return the exercises of a lesson."""
    return [exercise for exercise in EXERCISES.values() if exercise.id[:2] == lesson[:2]]


@cache
def pristine(lesson):
    """Return the sources of the code cells of a lesson as it is shipped."""
    return notebook.sources(workbook.pristine(lesson))


def _judge(exercise, box, limits, seed):
    try:
        with box.exercise(exercise.name) as told:
            state, verdict = _verdict(exercise, told, box, limits, seed)
    except Stopped:
        state, verdict = ERROR, _too_long(exercise, limits)
    except Ended as error:
        state, verdict = ERROR, wrong(f"The code of `{exercise.name}` {error}.", "ended")
    return Result(
        id=exercise.id,
        name=exercise.name,
        state=state,
        points=exercise.points if state == RIGHT else 0,
        of=exercise.points,
        mistake=verdict.mistake,
        text=_plain(verdict.text),
        answer=_plain(box.answers.get(exercise.name, "")),
    )


def _plain(text):
    """Return a text without the characters that a terminal or a page might obey."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _verdict(exercise, told, box, limits, seed):
    name = f"`{exercise.name}`"
    if "missing" in told:
        return OPEN, still_open(f"No cell defines {name}.")
    if "error" in told:
        return ERROR, _does_not_run(exercise, told["error"], limits)
    answer = _answer(told.get("value"), box)
    seconds = SECONDS if exercise.reference is None else _JUDGE_SECONDS
    verdict = exercise.judge(answer, seconds, seed)
    if isinstance(answer, StandIn) and answer.ended is not None:
        raise answer.ended
    if verdict.mistake == "check-failed":
        return UNKNOWN, verdict
    if not verdict.done:
        return OPEN, verdict
    state = RIGHT if verdict else ERROR if verdict.mistake in ("raised", "endless") else WRONG
    return state, verdict


def _does_not_run(exercise, told, limits):
    error = rebuilt(told, limits.seconds)
    if isinstance(error, Stopped):
        return _too_long(exercise, limits)
    line = told.get("line") if isinstance(told, dict) else None
    where = f" in line {line}" if isinstance(line, int) else ""
    if where and told.get("code"):
        where += f", {quote(Code(str(told['code'])))}"
    said = quote(Code(f"{type(error).__name__}: {error}"))
    hint = "does the cell run by itself, after the lesson's first cells?"
    if isinstance(error, ImportError) and notebook.COURSE in str(error):
        hint = "answers are run where the course's own rules and answers are not: do without them."
    elif isinstance(error, ImportError):
        hint = "answers are run with the course's libraries only: NumPy, SciPy, scikit-learn, Matplotlib."
    return wrong(f"The cell of `{exercise.name}` stops with {said}{where}.", "raised", hint)


def _too_long(exercise, limits):
    return wrong(
        f"The code of `{exercise.name}` was ended after {limits.seconds:g} s.",
        "endless",
        "does a loop ever end? A long search belongs into a cell of its own.",
    )


# The learner's function, seen from here


class StandIn:
    """Stands for a function that is in the sandbox: has its signature, and asks for its results."""

    def __init__(self, content, box):
        self._box, self.ended = box, None
        self.stores_globals = content.get("globals") is True
        self.is_written = content.get("written") is True
        parameters = content.get("parameters")
        if parameters is not None:
            self.__signature__ = inspect.Signature([_parameter(*p) for p in parameters])

    def __call__(self, *args, **kwargs):
        """Return what the learner's function returns, or raise what it raises."""
        if self.ended is not None:
            raise self.ended
        try:
            return self._box.call(args, kwargs)
        except (Ended, Stopped) as error:
            if isinstance(error, Ended) or self._box.ended:
                self.ended = error
            raise


def _parameter(name, kind, has_default, default):
    default = decode(default, lambda unknown: object()) if has_default else inspect.Parameter.empty
    return inspect.Parameter(str(name), getattr(inspect.Parameter, kind), default=default)


def _answer(content, box):
    """Return a value that a child has sent, or a stand-in for a function."""
    try:
        if not isinstance(content, dict) or content.get("is") != "function":
            return decode(content, lambda unknown: object())
        samples = {"class": type("Class", (), {}), "generator": _generator, "coroutine": _coroutine}
        return samples.get(content.get("kind")) or StandIn(content, box)
    except Exception:  # of whatever kind: it is made of a stranger's bytes
        raise Ended("sent what is no plain value") from None


def _generator():
    yield


async def _coroutine():
    pass
