"""Check an answer, show a solution, see where you stand. All that a notebook imports from the course.

check("08.adam", my_adam)     # a verdict: true if right, and a text that says what is wrong
reveal("08.adam")             # the answer
progress("08")                # done, tried and open, in this kernel session
"""

import difflib
import types

from optim_lessons.course.copies.workbook import lessons
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging.kinds import Exercise
from optim_lessons.course.judging.verdict import Verdict, quote, still_open, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS

_SYMBOLS = {"done": "✓ done", "tried": "✗ tried", "open": "○ open"}
_session = {}  # id → "done" or "tried"


_NOTHING = object()


def check(id=..., answer=_NOTHING, *more, seconds=SECONDS):
    """Return the verdict on an answer to an exercise. It never raises.

    id: such as "08.adam".  answer: what you defined, such as my_adam, without calling it.
    more: nothing; one answer is all it takes.  seconds: how long your code may run.
    """
    if not isinstance(id, str) and isinstance(answer, str) and answer in EXERCISES:
        id, answer = answer, id
    exercise = EXERCISES.get(id) if isinstance(id, str) else None
    if exercise is None:
        return _unknown(id)
    if answer is _NOTHING:
        return still_open(f'No answer was given: write `check("{exercise.id}", {exercise.name})`.')
    if more:
        return wrong(
            f"Of `{exercise.name}` one answer is taken, and {1 + len(more)} were given.",
            "several-answers",
            f'write `check("{exercise.id}", {exercise.name})`; two numbers that belong together stand in '
            "brackets.",
        )
    try:
        verdict = exercise.judge(answer, seconds)
        if exercise.noted:
            exercise.noted(answer)
    except (Exception, SystemExit) as error:  # a fault of ours, or an object that resists being looked at
        verdict = wrong(
            f"The check could not look at `{exercise.name}`: it stopped with `{type(error).__name__}`. "
            "If your answer is an ordinary one, please report this.",
            "check-failed",
        )
    if verdict.done and _session.get(exercise.id) != "done":
        _session[exercise.id] = "done" if verdict else "tried"
    return verdict


def reveal(id):
    """Return the answer to an exercise, as a page of code. Try first: what you found yourself, you keep."""
    exercise = EXERCISES.get(id) if isinstance(id, str) else None
    return _unknown(id) if exercise is None else Answer(exercise)


def progress(lesson=""):
    """Return where you stand: each exercise of a lesson, or of all: done, tried or open.

    lesson: its number or name, such as "08", 8 or "adam".
    """
    word = str(lesson).strip().lower() if isinstance(lesson, str | int) else "?"
    word = f"{word:0>2}_" if word.isdigit() else word
    names = lessons()
    wanted = {name[:2] for name in names if word in name}
    if not wanted:
        text = f"There is no lesson {quote(lesson)}: give its number, from {names[0][:2]} to {names[-1][:2]}."
        return Verdict(False, text, "no-such-lesson", done=False, heading="✗ No such lesson.")
    shown = [exercise for exercise in EXERCISES.values() if exercise.id[:2] in wanted]
    return Progress([(e.id, e.name, _session.get(e.id, "open")) for e in shown])


class Answer:
    """An exercise's solution, shown as code."""

    def __init__(self, exercise):
        self._source, self._because = exercise.solution.strip(), exercise.because

    def __repr__(self):
        """Return the code and a sentence about it."""
        return f"{self._source}\n\n{self._because}".rstrip()

    def _repr_markdown_(self):
        return f"```python\n{self._source}\n```\n\n{self._because}".rstrip()


class Progress:
    """Where a learner stands: rows of (id, name, state)."""

    def __init__(self, rows):
        self.rows = rows

    @property
    def _summary(self):
        done = sum(state == "done" for *_, state in self.rows)
        return f"{done} of {len(self.rows)} exercises done in this session."

    def __repr__(self):
        """Return one line per exercise, and a count."""
        width = max((len(id) for id, *_ in self.rows), default=0)
        lines = [f"{id:{width}}  {_SYMBOLS[state]}" for id, _, state in self.rows]
        return "\n".join([*lines, self._summary])

    def _repr_markdown_(self):
        rows = [f"| {id} | `{name}` | {_SYMBOLS[state]} |" for id, name, state in self.rows]
        return "\n".join(["| exercise | you define | |", "|---|---|---|", *rows, "", self._summary])


def _unknown(id):
    named = [e for e in EXERCISES.values() if e.name == (id if isinstance(id, str) else _name(id))]
    if named:
        call = f'check("{named[0].id}", {named[0].name})'
        text = f"An id comes first, then your answer: `{call}`."
    elif isinstance(id, str):
        word = id.strip().lower()
        near = [known for known in EXERCISES if word and (word in known or known.split(".")[1] in word)]
        near += difflib.get_close_matches(word, EXERCISES, n=3, cutoff=0.5)
        near = list(dict.fromkeys(near))[:5] or list(EXERCISES)[:5]
        text = f"{quote(id)} is not in the course. Near it: {', '.join(f'`{known}`' for known in near)}."
    elif id is ...:
        text = 'Give an id and your answer, as in `check("08.adam", my_adam)`.'
    else:
        text = f'The first argument is {quote(id)}: give an id as text, as in `check("08.adam", my_adam)`.'
    return Verdict(False, text, "no-such-exercise", done=False, heading="✗ No such exercise.")


def _name(answer):
    """Return the name of a function that was given where an id belongs, or of an exercise."""
    if isinstance(answer, Exercise):
        return answer.name
    return answer.__name__ if isinstance(answer, types.FunctionType) else None
