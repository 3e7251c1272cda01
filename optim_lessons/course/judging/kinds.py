"""The kinds of exercises. Each function here makes one `Exercise`, the row of the table.

rule         write an update rule; compared with the reference over many steps
function     write any other function; compared with the reference on drawn inputs
number       a number that the theory gives
goal         a number that reaches a goal; the check tries it out
choice       one letter of several
diagnosis    a dict that gives each of several runs (or maps, ...) its name
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from optim_lessons.course.judging.answers import read_label, read_number
from optim_lessons.course.judging.functions import judge_function
from optim_lessons.course.judging.mistakes import Mistake, source_of, variant
from optim_lessons.course.judging.rules import judge_rule
from optim_lessons.course.judging.verdict import Verdict, is_open, listed, quote, right, still_open, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS, quiet


@dataclass(frozen=True, kw_only=True, eq=False)
class Exercise:
    """One exercise.

    id: "08.adam".  name: what the learner defines.  kind: see this module.  task, hint: texts.
    mistakes: the named ones.  solution: a cell that solves it, after `import numpy as np`.
    because: one sentence more for a right answer.  reference: of a rule or function.
    inputs: of a function; inputs(rng) draws a dict, "for a batch of 1" → arguments.
    judged_by: a function of (exercise, answer, seconds) that returns a Verdict.
    noted: called by `check` with an answer that was judged, where a second answer is another matter.
    """

    id: str
    name: str
    kind: str
    task: str
    hint: str
    solution: str
    points: int = 1
    mistakes: tuple[Mistake, ...] = ()
    because: str = ""
    reference: Callable | None = None
    inputs: Callable | None = None
    noted: Callable | None = None
    judged_by: Callable[..., Verdict] = field(repr=False)

    def judge(self, answer, seconds=SECONDS, seed=0):
        """Return the verdict on an answer.

        seconds: how long a learner's code may run.  seed: of the inputs that a rule or function is tried on.
        """
        drawn = {} if self.reference is None else {"seed": seed}
        with quiet():
            return self.judged_by(self, answer, seconds, **drawn)

    def variant(self, mistake):
        """Return the reference with a named mistake in it: EXERCISES["08.adam"].variant("uncorrected")."""
        return variant(self.reference, next(m for m in self.mistakes if m.name == mistake))


def rule(id, reference, *, mistakes, name=None, points=2, **texts):
    """Return the exercise to write a rule."""
    name = name or f"my_{reference.__name__}"
    return Exercise(
        judged_by=judge_rule,
        id=id,
        name=name,
        kind="rule",
        reference=reference,
        mistakes=tuple(mistakes),
        points=points,
        solution=source_of(reference, name),
        **texts,
    )


def function(id, reference, *, inputs, mistakes, name=None, points=2, **texts):
    """Return the exercise to write a function of positional arguments, whose result is one array or number.

    inputs: inputs(rng) returns a dict of cases, a title such as "for a batch of 1" → the arguments.
    """
    name = name or f"my_{reference.__name__}"
    return Exercise(
        judged_by=judge_function,
        id=id,
        name=name,
        kind="function",
        reference=reference,
        inputs=inputs,
        mistakes=tuple(mistakes),
        points=points,
        solution=source_of(reference, name),
        **texts,
    )


def number(id, name, *, accept, solution, mistakes=(), near=0.005, **texts):
    """Return the exercise to find a number.

    accept: (low, high), the ends are right too.  near: how close, relatively, a mistake's value has to be.
    """
    low, high = accept

    def judge(exercise, answer, seconds):
        value = read_number(name, answer)
        if isinstance(value, Verdict):
            return value
        slack = 1e-9 * max(abs(low), abs(high))  # both ends are right, however they were computed
        if low - slack <= value <= high + slack:
            return right(exercise.because)
        for mistake in exercise.mistakes:
            if any(abs(value - v) <= near * abs(v) for v in mistake.values):
                return wrong(mistake.text, mistake.name, mistake.hint)
        if low <= -value <= high:
            return wrong(f"`{name}` has the wrong sign.", "sign", "should it be positive or negative?")
        return wrong(f"`{name}` is {value:.6g}, which is not the number asked for.", None, exercise.hint)

    return Exercise(
        judged_by=judge,
        id=id,
        name=name,
        kind="number",
        mistakes=tuple(mistakes),
        solution=f"{name} = {solution}\n",
        **texts,
    )


def goal(id, name, reached, *, solution, mistakes, read=read_number, **texts):
    """Return the exercise to reach a goal with a number, or with a pair of numbers (read=read_pair).

    reached: a function of what was read: None, or a mistake's name and a sentence about this run.
    """

    def judge(exercise, answer, seconds):
        value = read(name, answer)
        if isinstance(value, Verdict):
            return value
        missed, seen = reached(value) or (None, "")
        if missed is None:
            return right(exercise.because)
        mistake = next(m for m in exercise.mistakes if m.name == missed)
        return wrong(f"{mistake.text} {seen}".rstrip(), mistake.name, mistake.hint)

    return Exercise(
        judged_by=judge,
        id=id,
        name=name,
        kind="goal",
        mistakes=tuple(mistakes),
        solution=f"{name} = {solution}\n",
        **texts,
    )


def choice(id, name, *, task, options, answer, mistakes, **texts):
    """Return the exercise to choose a letter.  options: letter → text; they become part of the task."""

    def judge(exercise, given, seconds):
        if is_open(given):
            return still_open(f"`{name}` is not chosen yet: set it to {letters}.")
        letter = given.strip(" ().:`'\"").lower() if isinstance(given, str) else None
        if letter == answer:
            return right(exercise.because)
        for mistake in exercise.mistakes:
            if letter in mistake.values:
                return wrong(mistake.text, mistake.name, mistake.hint)
        return wrong(f"`{name}` is {quote(given)}: choose {letters}, with the quotation marks.", "no-choice")

    letters = listed((f'`"{letter}"`' for letter in options), "or")
    lines = [f"{letter}) {text}" for letter, text in options.items()]
    return Exercise(
        judged_by=judge,
        id=id,
        name=name,
        kind="choice",
        mistakes=tuple(mistakes),
        task="\n".join([task, *lines]),
        solution=f'{name} = "{answer}"\n',
        **texts,
    )


def diagnosis(id, name, *, answer, labels, look, what="run", **texts):
    """Return the exercise to name the cause of several runs.

    answer: run → label.  labels: label → how such a run looks.  look: run → what to look at in it.
    what: the word for what is diagnosed, if it is no run.
    Each mistake is one label taken for another, and named so.
    """
    known, head = listed((f'`"{label}"`' for label in labels), "or"), what.capitalize()
    first = next(iter(answer))
    # An example that is not the answer.
    example = f'`{{"{first}": "{next(label for label in labels if label != answer[first])}", ...}}`'

    def letter_of(key):
        return key.strip(" .:()").upper().removeprefix(f"{head.upper()} ") if isinstance(key, str) else key

    def judge(exercise, given, seconds):
        if is_open(given):
            return still_open(f"`{name}` is empty: give each of {listed(answer)} its cause.")
        if not isinstance(given, dict):
            return wrong(f"`{name}` is {quote(given)}: write a dict, as {example}.", "no-dict")
        unknown = [key for key in given if letter_of(key) not in answer]
        if unknown:
            text = f"There is no {what} {quote(unknown[0])}: the {what}s are {listed(answer)}."
            return wrong(text, "no-such-run", f"the letter comes first, then its name, as {example}.")
        given = {letter_of(key): label for key, label in given.items()}
        missing = [key for key in answer if is_open(given.get(key))]
        if missing:
            return still_open(f"Without a cause as yet: {listed(missing)}.")
        said = {key: read_label(given[key], labels) for key in answer}
        for key, label in said.items():
            if label is None:
                return wrong(
                    f"{head} {key}: {quote(given[key])} is none of the names: choose {known}.",
                    "no-such-cause",
                )
        wrongs = [key for key in answer if said[key] != answer[key]]
        if not wrongs:
            return right(exercise.because)
        key = wrongs[0]
        mistake = next(m for m in exercise.mistakes if m.values == (answer[key], said[key]))
        n = len(answer) - len(wrongs)
        count = f"{n} of {len(answer)} {'is' if n == 1 else 'are'} right. "
        return wrong(f"{count}{head} {key}: {mistake.text}", mistake.name, look[key])

    mistakes = [
        Mistake(
            f"{true}-taken-for-{label}".replace(" ", "-"),
            f"you say `{label}`. If so, {labels[label]}.",
            values=(true, label),
        )
        for true in answer.values()
        for label in labels
        if label != true
    ]
    return Exercise(
        judged_by=judge,
        id=id,
        name=name,
        kind="diagnosis",
        mistakes=tuple(mistakes),
        solution=f"{name} = {answer!r}\n".replace("'", '"'),
        **texts,
    )
