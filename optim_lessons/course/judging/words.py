"""The words of exercises: a page of text beside the Python of a lesson's exercises.

    # 01.gradient_descent

    Write gradient descent: `my_gradient_descent(w, g, *, lr=0.01)` returns the new weights.
    Hint: compare your line with the formula, letter by letter.
    Because: what is added for a right answer.

    climbs: `w - lr` → `w + lr`
        You add the gradient, so the step goes uphill.
        Hint: the gradient points to where the loss grows.
    one-over-L: 1 / 40
        1/L converges, but it is not the limit.
    @ 01.clipped_descent: norm-squared, sign-only
    @ in_the_step("m_hat", "v_hat")

A mistake is a line with its name and, after the colon, what it changes in the reference's source text (⏎ ends
a line there) or the answers that it leads to; indented below stand what was done, and a hint. "@" takes
mistakes of another exercise, or those that a function makes. "label lr too small:" and "look A:" belong to a
diagnosis. Answers, and {{...}} in a text, are expressions of the lesson's module. A line of a task that
begins with a letter and a bracket, "a) ", stays a line; all others are joined.
"""

import re
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np

from optim_lessons.course.judging.mistakes import Mistake, in_the_squares, in_the_step

_BLOCK = re.compile(r"^(\S[^:\n]*):(.*)\n((?: {4}.*\n)+)|^@ (.+)\n", re.M)
_EDIT = re.compile(r"`([^`]*)` → `([^`]*)`")
_FAMILIES = {"np": np, "in_the_step": in_the_step, "in_the_squares": in_the_squares}


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of one exercise.

    id: such as "01.gradient_descent".  task, hint: texts.  because: what is added for a right answer.
    mistakes: the named ones, in the order in which they are looked for.
    label: of a diagnosis, label → how such a run looks.  look: run → what to look at in it.
    """

    id: str
    task: str = ""
    hint: str = ""
    because: str = ""
    mistakes: tuple[Mistake, ...] = ()
    label: dict = field(default_factory=dict)
    look: dict = field(default_factory=dict)

    def mistake(self, name):
        """Return the mistake of this name."""
        return next(mistake for mistake in self.mistakes if mistake.name == name)


class Page:
    """A lesson's page of words: page["01.gradient_descent"] → Words, read when it is asked for.

    module: the name of the lesson's module; its page lies beside it, as .txt.
    """

    def __init__(self, module):
        self.module = module
        text = Path(sys.modules[module].__file__).with_suffix(".txt").read_text("utf-8")
        parts = (part.partition("\n") for part in re.split(r"^# ", text, flags=re.M)[1:])
        self.texts = {id: rest.strip("\n") + "\n" for id, _, rest in parts}

    def __getitem__(self, id):
        """Return the words of an exercise. Raises KeyError if there are none."""
        text = self.texts[id]
        blocks = list(_BLOCK.finditer(text))
        found = self._texts(text[: blocks[0].start() if blocks else None], "task")
        mistakes, label, look = [], {}, {}
        for name, what, body, taken in (block.groups() for block in blocks):
            kind, _, of = (name or "").partition(" ")
            said = {} if taken else self._texts(body, "text")
            if taken:
                mistakes += self._taken(taken)
            elif kind in ("label", "look"):
                (label if kind == "label" else look)[of] = said["text"]
            else:
                mistakes.append(Mistake(name, **said, **self._marks(what)))
        return Words(id=id, mistakes=tuple(mistakes), label=label, look=look, **found)

    def _texts(self, text, first):
        """Return the texts of a block: the first, under this name, and those after "Hint:" and "Because:"."""
        joined = re.sub(r"\s*\n\s*(?![a-z]\) )", " ", text.strip())
        filled = re.sub(r"\{\{(.+?)\}\}", lambda found: str(self._value(found[1])), joined)
        said, *others = re.split(r" (Hint|Because): ", filled)
        return {first: said} | {
            name.lower(): more for name, more in zip(others[::2], others[1::2], strict=True)
        }

    def _marks(self, what):
        """Return by what a mistake is known: edits of the source text, or answers."""
        if edits := _EDIT.findall(what):
            return {"edits": [tuple(part.replace("⏎", "\n") for part in pair) for pair in edits]}
        return {"values": self._value(f"({what},)")} if what.strip() else {}

    def _taken(self, what):
        """Return the mistakes that "@ ..." takes."""
        if "(" in what:
            return self._value(what)
        id, _, names = what.partition(": ")
        lesson = self.module.rpartition("_")[0] + f"_{id[:2]}"
        page = self if lesson == self.module else import_module(lesson).page
        words = page[id]
        return [words.mistake(name) for name in names.split(", ")]

    def _value(self, expression):
        return eval(expression, _FAMILIES | vars(sys.modules[self.module]))
