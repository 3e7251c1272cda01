"""The kinds of exercises: a row of the table each.

Rule         write an update rule; compared with the reference over many steps
Function     write any other function; compared with the reference on drawn inputs
Number       a number that the theory gives
Goal         a number that reaches a goal; the check tries it out
Choice       one letter of several
Diagnosis    a dict that gives each of several runs (or maps, ...) its name

Their words come from a lesson's page of text (words.py).
"""

from abc import ABC, abstractmethod

from optim_lessons.course.judging.answers import read_label, read_number
from optim_lessons.course.judging.functions import judge_function
from optim_lessons.course.judging.mistakes import Mistake, source_of, variant
from optim_lessons.course.judging.rules import judge_rule
from optim_lessons.course.judging.verdict import Verdict, is_open, listed, quote, right, still_open, wrong
from optim_lessons.course.sandbox.watchdog import SECONDS, quiet


class Exercise(ABC):
    """One exercise.

    id: "08.adam".  name: what the learner defines.  kind: "rule", ...  points: a number.
    task, hint, because, mistakes: see Words.  solution: a cell that solves it, after `import numpy as np`.
    """

    kind: str
    reference = None  # of what is written: the right function
    noted = None  # called by `check` with an answer that was judged, where a second answer is another matter

    def __init__(self, words, name, *, points=1):
        self.id, self.task, self.hint, self.because = words.id, words.task, words.hint, words.because
        self.mistakes, self.name, self.points = words.mistakes, name, points

    def __repr__(self):
        """Return its kind and id."""
        return f"<{self.kind} {self.id}>"

    def judge(self, answer, seconds=SECONDS, seed=0):
        """Return the verdict on an answer.

        seconds: how long a learner's code may run.  seed: of the inputs that a rule or function is tried on.
        """
        with quiet():
            return self._judge(answer, seconds, seed)

    @abstractmethod
    def _judge(self, answer, seconds, seed): ...

    def mistake(self, name):
        """Return the mistake of this name."""
        return next(mistake for mistake in self.mistakes if mistake.name == name)

    def named(self, mistake, seen=""):
        """Return the verdict that names a mistake.  seen: a sentence about this very answer."""
        return wrong(f"{mistake.text} {seen}".rstrip(), mistake.name, mistake.hint)


class _Written(Exercise):
    """What is written in Python, and compared with a reference."""

    def __init__(self, words, reference, *, name=None, points=2):
        super().__init__(words, name or f"my_{reference.__name__}", points=points)
        self.reference = reference
        self.solution = source_of(reference, self.name)

    def variant(self, mistake):
        """Return the reference with a named mistake in it: EXERCISES["08.adam"].variant("uncorrected")."""
        return variant(self.reference, self.mistake(mistake))


class Rule(_Written):
    """Write a rule.  reference: the right one."""

    kind = "rule"

    def _judge(self, answer, seconds, seed):
        return judge_rule(self, answer, seconds, seed)


class Function(_Written):
    """Write a function of positional arguments, whose result is one array or number.

    inputs: inputs(rng) returns a dict of cases, a title such as "for a batch of 1" → the arguments.
    """

    kind = "function"

    def __init__(self, words, reference, *, inputs, **more):
        super().__init__(words, reference, **more)
        self.inputs = inputs

    def _judge(self, answer, seconds, seed):
        return judge_function(self, answer, seconds, seed)


class Number(Exercise):
    """Find a number.

    accept: (low, high), the ends are right too.  near: how close, relatively, a mistake's value has to be.
    solution: the expression that gives it.
    """

    kind = "number"

    def __init__(self, words, name, *, accept, solution, near=0.005, **more):
        super().__init__(words, name, **more)
        self.accept, self.near, self.solution = accept, near, f"{name} = {solution}\n"

    def _judge(self, answer, seconds, seed):
        value, (low, high) = read_number(self.name, answer), self.accept
        if isinstance(value, Verdict):
            return value
        slack = 1e-9 * max(abs(low), abs(high))  # both ends are right, however they were computed
        if low - slack <= value <= high + slack:
            return right(self.because)
        for mistake in self.mistakes:
            if any(abs(value - v) <= self.near * abs(v) for v in mistake.values):
                return self.named(mistake)
        if low <= -value <= high:
            return wrong(f"`{self.name}` has the wrong sign.", "sign", "should it be positive or negative?")
        text = f"`{self.name}` is {value:.6g}, which is not the number asked for."
        return wrong(text, None, self.hint)


class Goal(Exercise):
    """Reach a goal with a number, or with a pair of numbers (read=read_pair).

    reached: a function of what was read: None, or a mistake's name and a sentence about this run.
    noted: see Exercise.
    """

    kind = "goal"

    def __init__(self, words, name, reached, *, solution, read=read_number, noted=None, **more):
        super().__init__(words, name, **more)
        self.reached, self.read, self.solution = reached, read, f"{name} = {solution}\n"
        self.noted = noted

    def _judge(self, answer, seconds, seed):
        value = self.read(self.name, answer)
        if isinstance(value, Verdict):
            return value
        missed, seen = self.reached(value) or (None, "")
        return right(self.because) if missed is None else self.named(self.mistake(missed), seen)


class Choice(Exercise):
    """Choose a letter; the options are lines of the task.  answer: the right letter."""

    kind = "choice"

    def __init__(self, words, name, *, answer, **more):
        super().__init__(words, name, **more)
        self.answer, self.solution = answer, f'{name} = "{answer}"\n'

    @property
    def options(self):
        """Letter → text."""
        return dict(line.split(") ", 1) for line in self.task.splitlines()[1:])

    def _judge(self, answer, seconds, seed):
        letters = listed((f'`"{letter}"`' for letter in self.options), "or")
        if is_open(answer):
            return still_open(f"`{self.name}` is not chosen yet: set it to {letters}.")
        letter = answer.strip(" ().:`'\"").lower() if isinstance(answer, str) else None
        if letter == self.answer:
            return right(self.because)
        for mistake in self.mistakes:
            if letter in mistake.values:
                return self.named(mistake)
        text = f"`{self.name}` is {quote(answer)}: choose {letters}, with the quotation marks."
        return wrong(text, "no-choice")


class Diagnosis(Exercise):
    """Name the cause of several runs.

    answer: run → label.  what: the word for what is diagnosed, if it is no run.
    Each mistake is one label taken for another, and named so.
    """

    kind = "diagnosis"

    def __init__(self, words, name, *, answer, what="run", **more):
        super().__init__(words, name, **more)
        self.answer, self.what, self.labels, self.look = answer, what, words.label, words.look
        self.solution = f"{name} = {answer!r}\n".replace("'", '"')
        self.mistakes = tuple(
            Mistake(
                f"{true}-taken-for-{label}".replace(" ", "-"),
                f"you say `{label}`. If so, {text}.",
                values=(true, label),
            )
            for true in dict.fromkeys(answer.values())
            for label, text in self.labels.items()
            if label != true
        )

    def _judge(self, answer, seconds, seed):
        if is_open(answer):
            return still_open(f"`{self.name}` is empty: give each of {listed(self.answer)} an answer.")
        if not isinstance(answer, dict):
            return wrong(f"`{self.name}` is {quote(answer)}: write a dict, as {self._example}.", "no-dict")
        unknown = [key for key in answer if self._letter(key) not in self.answer]
        if unknown:
            text = f"There is no {self.what} {quote(unknown[0])}: the {self.what}s are {listed(self.answer)}."
            return wrong(text, "no-such-run", f"the letter comes first, then its name, as {self._example}.")
        given = {self._letter(key): label for key, label in answer.items()}
        missing = [key for key in self.answer if is_open(given.get(key))]
        if missing:
            return still_open(f"Without a cause as yet: {listed(missing)}.")
        said = {key: read_label(given[key], self.labels) for key in self.answer}
        for key, label in said.items():
            if label is None:
                known = listed((f'`"{label}"`' for label in self.labels), "or")
                text = f"{self._head} {key}: {quote(given[key])} is none of the names: choose {known}."
                return wrong(text, "no-such-cause")
        return self._compared(said)

    def _compared(self, said):
        wrongs = [key for key in self.answer if said[key] != self.answer[key]]
        if not wrongs:
            return right(self.because)
        key = wrongs[0]
        mistake = next(m for m in self.mistakes if m.values == (self.answer[key], said[key]))
        n = len(self.answer) - len(wrongs)
        count = f"{n} of {len(self.answer)} {'is' if n == 1 else 'are'} right. "
        return wrong(f"{count}{self._head} {key}: {mistake.text}", mistake.name, self.look[key])

    @property
    def _head(self):
        return self.what.capitalize()

    @property
    def _example(self):
        """An example that is not the answer."""
        first = next(iter(self.answer))
        return (
            f'`{{"{first}": "{next(label for label in self.labels if label != self.answer[first])}", ...}}`'
        )

    def _letter(self, key):
        """Return the run that a key means: "a)" or "Run A" is A."""
        return (
            key.strip(" .:()").upper().removeprefix(f"{self._head.upper()} ") if isinstance(key, str) else key
        )
