"""Named mistakes: the usual wrong answers, each with a name, what was done, and a hint.

A rule's mistakes are small edits of the reference's own source text, so they stay true to it:

    Mistake("eps-inside-root", "...", "...", edits=[("np.sqrt(v) + eps", "np.sqrt(v + eps)")])

`variant(rule, mistake)` makes the wrong rule, to recognise an attempt or to show it in a lesson.
"""

import ast
import inspect
import textwrap
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Mistake:
    """A usual wrong answer.

    name: words-with-dashes.  text: what the learner did.  hint: where to look, not the answer.
    edits: for a rule, the (old, new) pieces of source text, applied in order.
    values: for a number or a choice, the answers it leads to.
    """

    name: str
    text: str
    hint: str = ""
    edits: tuple = ()
    values: tuple = ()

    def __post_init__(self):
        """Keep edits and values as tuples, so that a mistake can be a key."""
        for field in ("edits", "values"):
            value = getattr(self, field)
            value = (value,) if isinstance(value, str | int | float) else tuple(value)
            object.__setattr__(self, field, tuple(tuple(v) if isinstance(v, list) else v for v in value))


@cache
def source_of(rule, name=None):
    """Return a rule's source text without its docstring, under another name if one is given."""
    lines = textwrap.dedent(inspect.getsource(rule)).splitlines(keepends=True)
    body = ast.parse("".join(lines)).body[0].body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    source = "".join(lines)
    return source.replace(f"def {rule.__name__}(", f"def {name}(", 1) if name else source


def edited(source, *mistakes):
    """Return the source text after the edits of one or more mistakes.

    Raises ValueError if a piece of text does not stand in the source exactly once.
    """
    for mistake in mistakes:
        for old, new in mistake.edits:
            if source.count(old) != 1:
                raise ValueError(
                    f"{mistake.name}: {old!r} stands {source.count(old)} times in the source, not "
                    f"once:\n{source}"
                )
            source = source.replace(old, new)
    return source


@cache
def variant(rule, *mistakes):
    """Return the rule as it is with these mistakes in it."""
    names = " and ".join(mistake.name for mistake in mistakes)
    namespace = dict(rule.__globals__)
    exec(compile(edited(source_of(rule), *mistakes), f"<{rule.__name__}: {names}>", "exec"), namespace)
    return namespace[rule.__name__]


def in_the_step(direction, divisor=None):
    """Yield the mistakes that rules share in their last line, w = w - lr * direction / (√divisor + eps)."""
    yield Mistake(
        "climbs",
        "You add the step, so the walk goes uphill.",
        "gradients point to where the loss grows.",
        [("w - lr", "w + lr")],
    )
    yield Mistake(
        "lr-forgotten",
        "`lr` does not scale the step.",
        "which letter in the formula says how far to go?",
        [(f"lr * {direction}", direction)],
    )
    if divisor is None:
        return
    root = f"np.sqrt({divisor})"
    yield Mistake(
        "direction-forgotten",
        f"The step does not contain `{direction}`: every coordinate goes down, whatever its slope.",
        "`lr` over the root is only the length; what is the direction?",
        [(f"lr * {direction}", "lr")],
    )
    yield Mistake(
        "sign-alone",
        f"The step takes the sign of `{direction}` and drops its size, but divides by a size all the same.",
        "the quotient compares two sizes: which ones?",
        [(f"lr * {direction}", f"lr * np.sign({direction})")],
    )
    yield Mistake(
        "multiplied",
        "You multiply by the root instead of dividing by it.",
        "where gradients have been large, steps should be shorter.",
        [(f"/ ({root} + eps)", f"* ({root} + eps)")],
    )
    yield Mistake(
        "eps-inside-root",
        "`eps` stands inside the root. Some libraries do that; there a small `eps` counts for much more.",
        "take the root first, then add.",
        [(f"{root} + eps", f"np.sqrt({divisor} + eps)")],
    )
    yield Mistake(
        "eps-squared-inside-root",
        "The square of `eps` stands inside the root.",
        "take the root first, then add.",
        [(f"{root} + eps", f"np.sqrt({divisor} + eps**2)")],
    )
    yield Mistake(
        "eps-forgotten",
        "`eps` is missing, so a coordinate without any gradient divides 0 by 0.",
        "what keeps the divisor away from 0?",
        [(f"({root} + eps)", root)],
    )
    yield Mistake(
        "brackets-forgotten",
        "`eps` is added to the step, not to the divisor: Python divides before it adds.",
        "put brackets around the whole divisor.",
        [(f"({root} + eps)", f"{root} + eps")],
    )
    yield Mistake(
        "eps-in-the-step",
        "`eps` is added to the quotient, not to the divisor.",
        "put brackets around the whole divisor.",
        [(f"lr * {direction} / ({root} + eps)", f"(lr * {direction} / {root} + eps)")],
    )
    yield Mistake(
        "root-forgotten",
        f"A root is missing: you divide by `{divisor}` itself.",
        "the step should not depend on the units of the gradient.",
        [(root, divisor)],
    )


def in_the_squares(v, step, average=False):
    """Yield the mistakes of rules that keep squares: the lines v and step swapped, and a wrong return."""
    yield Mistake(
        "old-v",
        "You divide by the `v` of the step before: `w` is computed before the new `v`.",
        "which of the two lines comes first?",
        [(f"{v}\n    {step}", f"{step}\n    {v}")],
    )
    yield Mistake(
        "v-not-returned",
        "You divide by the new `v` but return the old one, so nothing is remembered.",
        "what is returned as `v` is what comes in next time.",
        [(v, v.replace("v =", "v_new =", 1)), ("np.sqrt(v)", "np.sqrt(v_new)")],
    )
    kept = "average" if average else "sum"
    yield Mistake(
        "root-returned",
        f"You return the root of `v`; in the next step it is taken for the {kept} of squares.",
        "the root is used once and thrown away.",
        [("return w, v", "return w, np.sqrt(v)")],
    )
