"""Look at a learner's rule before it is called: is it a function, their own, with the right arguments?"""

import functools
import inspect
import types

import numpy as np

from optim_lessons.course.judging.verdict import listed, quote, wrong


def is_same_function(answer, reference):
    """Return whether an answer is a rule of the course itself, a wrapper of it, or calls it."""
    for _ in range(20):
        if isinstance(answer, functools.partial):
            answer = answer.func
        elif isinstance(answer, types.MethodType):
            answer = answer.__func__
        elif isinstance(answer, types.FunctionType) and hasattr(answer, "__wrapped__"):
            answer = answer.__wrapped__
        else:
            break
    if not isinstance(answer, types.FunctionType):
        return False
    code = answer.__code__
    used = [answer.__globals__.get(name) for name in code.co_names]
    used += [
        getattr(x, name, None) for x in used if isinstance(x, types.ModuleType) for name in code.co_names
    ]
    return code is reference.__code__ or any(value is reference for value in used)


def no_function(name, answer):
    """Return a verdict if the answer is anything else than an ordinary function."""
    if inspect.isclass(answer):
        text, mistake = f"{name} is a class: define a function with `def {name[1:-1]}(...)`.", "a-class"
    elif not callable(answer):
        text, mistake = (
            f"{name} is {quote(answer)}, of type `{type(answer).__name__}`: give the function itself, "
            f"by its name, without {'quotation marks' if isinstance(answer, str) else 'calling it'}.",
            "no-function",
        )
    elif inspect.isgeneratorfunction(answer) or inspect.isasyncgenfunction(answer):
        text, mistake = f"{name} contains `yield`, so it is a generator: use `return`.", "generator"
    elif inspect.iscoroutinefunction(answer):
        text, mistake = f"{name} is an `async` function: write `def` alone.", "coroutine"
    else:
        return None
    return wrong(text, mistake)


def wrong_signature(name, answer, reference):
    """Return a verdict if the arguments are not those of the reference; the text says which one."""
    head = f"def {name[1:-1]}{inspect.signature(reference)}"
    hint = f"the first line is `{head}:`."
    try:
        mine = inspect.signature(answer).parameters
    except (TypeError, ValueError):
        return wrong(f"{name} does not say which arguments it takes.", "arguments", hint)
    theirs = inspect.signature(reference).parameters
    before = [n for n, p in theirs.items() if p.kind != p.KEYWORD_ONLY]
    positional = [n for n, p in mine.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]

    def refuse(text, mistake):
        return wrong(text, mistake, hint)

    many = [p for p in mine.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if many:
        return refuse(f"The arguments of {name} hide behind `{many[0]}`: name each of them.", "arguments")
    missing, extra = [n for n in theirs if n not in mine], [n for n in mine if n not in theirs]
    if missing:
        text = f"{name} lacks the argument{'s' if len(missing) > 1 else ''} {_names(missing)}"
        if 0 < len(extra) < 4:
            text += f", and its {_names(extra)} {'is' if len(extra) == 1 else 'are'} not in the formula"
        return refuse(f"{text}.", "arguments")
    if extra:
        return refuse(f"{name} takes {_names(extra)} besides what it needs: leave it out.", "arguments")
    starred = [n for n in positional if n not in before]
    if starred:
        return refuse(
            f"In {name} the knob `{starred[0]}` can be given without its name. "
            "A `*` before the knobs keeps state and knobs apart.",
            "star-missing",
        )
    behind = [n for n in before if n not in positional]
    if behind:
        return refuse(
            f"In {name} `{behind[0]}` stands behind the `*`, where the knobs are.", "star-too-early"
        )
    if positional != before:
        return refuse(
            f"{name} takes `{', '.join(positional)}` in this order; the order is `{', '.join(before)}`.",
            "argument-order",
        )
    for n, p in theirs.items():
        if not _same_default(mine[n].default, p.default):
            return refuse(_default(n, mine[n].default, p), "default")
    return None


def _names(words):
    return listed(f"`{word}`" for word in words)


def _same_default(mine, default):
    if default is inspect.Parameter.empty or mine is inspect.Parameter.empty:
        return mine is default
    if isinstance(mine, bool) or not isinstance(mine, int | float | np.number):
        return False
    return bool(mine == default)


def _default(n, mine, theirs):
    default, is_state = theirs.default, theirs.kind != theirs.KEYWORD_ONLY
    verb = "starts at" if is_state else "defaults to"
    if default is inspect.Parameter.empty:
        return f"`{n}` has a default: it is given in every call."
    if mine is inspect.Parameter.empty:
        return f"`{n}` has no default; in the course it {verb} `{default}`."
    text = f"`{n}` {verb} {quote(mine)}, the course uses `{default}`."
    if is_state and not isinstance(mine, int | float):
        text += " A single number is enough: it becomes an array in the first sum."
    return text
