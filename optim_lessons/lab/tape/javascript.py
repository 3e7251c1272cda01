"""Print tapes as JavaScript, in double precision: a rule's walk, and a landscape's height and slope.

A walk is put together from two texts, a landscape's and a rule's, which a page reads as one:

    set(knobs)                     tells the landscape its knobs; returns false where it refuses them
    height(w0, w1)                 returns the height
    slope(w0, w1)                  leaves the gradient in g[0], g[1]
    walk(w, steps, knobs, shake)   fills w, the points of all steps one after the other, from its first one on
    table(steps, knobs)            returns what the steps of all runs of a map share
    shared                         the names of the knobs that the table depends on
    end(w, steps, knobs, table)    takes the one point w to its end, and keeps nothing on the way

shake: for each step what noise adds to the gradient, or null.
"""

from collections import Counter

import numpy as np

from optim_lessons.lab.knobs import parts
from optim_lessons.lab.tape.grounds import trace_ground
from optim_lessons.lab.tape.points import WALK, trace_step
from optim_lessons.lab.tape.trace import CannotTrace

# NumPy's names in JavaScript, where they are not those of Math but for "arc".
_JS = {
    "add": "({} + {})",
    "subtract": "({} - {})",
    "multiply": "({} * {})",
    "divide": "({} / {})",
    "power": "({} ** {})",
    "square": "({0} * {0})",
    "reciprocal": "(1 / {})",
    "positive": "{}",
    "negative": "(-{})",
    "absolute": "Math.abs({})",
    "maximum": "Math.max({}, {})",
    "minimum": "Math.min({}, {})",
    "fmax": "({0} > {1} || {1} !== {1} ? {0} : {1})",
    "fmin": "({0} < {1} || {1} !== {1} ? {0} : {1})",
    "copysign": "(Math.abs({0}) * (Object.is({1}, -0) || {1} < 0 ? -1 : 1))",
    "exp2": "(2 ** {})",
    # The last place of numbers between 2⁵² and 2⁵³ is 1, and sums are rounded to the even one.
    "rint": "(Math.abs({0}) < 2 ** 51 ? {0} + 1.5 * 2 ** 52 - 1.5 * 2 ** 52 : {0})",
    "where": "({} ? {} : {})",
    "less": "({} < {})",
    "less_equal": "({} <= {})",
    "greater": "({} > {})",
    "greater_equal": "({} >= {})",
    "equal": "({} === {})",
    "not_equal": "({} !== {})",
    "logical_and": "({} && {})",
    "logical_or": "({} || {})",
    "logical_not": "(!{})",
    "isfinite": "Number.isFinite({})",
    "isinf": "(Math.abs({}) === Infinity)",
    "isnan": "Number.isNaN({})",
}
_LONG = 8  # a number with more digits that occurs again is a constant with a name


def formula(name, texts):
    """Return an operation as JavaScript."""
    form = _JS.get(name) or f"Math.{name.replace('arc', 'a')}(" + ", ".join("{}" for _ in texts) + ")"
    return form.format(*texts)


def number(x):
    """Return a number as JavaScript reads it, to the last bit."""
    if isinstance(x, bool | np.bool_):
        return str(bool(x)).lower()
    x = float(x)
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else f"({'-' * (x < 0)}Infinity)"
    text = repr(x).removesuffix(".0")
    return f"({text})" if text.startswith("-") else text


class _Lines:
    """Puts operations into lines: what is used once stands where it is used, all else has a name.

    value: operand → its text so far.
    """

    def __init__(self, ops, inputs, value, results=()):
        """Begin.  results: operands that are handed out beside what the operations use."""
        self.ops, self.inputs, self.value = ops, inputs, dict(value)
        self.uses = Counter(results)
        for name, *operands in ops:
            for place, j in enumerate(operands):
                self.uses[j] += max(_JS.get(name, "").count(f"{{{place}}}"), 1)

    def write(self, wanted, named=(), declare="const "):
        """Return the lines for some results, in their order.  named: results that must have a name."""
        lines = []
        for i in sorted(wanted):
            name, *operands = self.ops[i - self.inputs]
            text = formula(name, [self.value[j] for j in operands])
            if i in named or self.uses[i] > 1:
                lines.append(f"{declare}x{i} = {text};")
                text = f"x{i}"
            self.value[i] = text
        return lines

    def needed(self, roots, within):
        """Return the results, among some, that others are made from."""
        found, waiting = set(), [i for i in roots if i in within]
        while waiting:
            i = waiting.pop()
            if i not in found:
                found.add(i)
                waiting += [j for j in self.ops[i - self.inputs][1:] if j in within]
        return found


def _constants(hosts, name):
    """Return texts for a tape's numbers: host → text; and the line of those that occur again."""
    texts = [number(x) for x in hosts]
    again = [text for text in dict.fromkeys(texts) if len(text) > _LONG and texts.count(text) > 1]
    places = {text: f"{name}[{k}]" for k, text in enumerate(again)}
    line = [f"const {name} = [{', '.join(again)}];"] if again else []
    return {~k: places.get(text, text) for k, text in enumerate(texts)}, line


def print_ground(make, ranges=None):
    """Return a landscape as JavaScript: set, height and slope.  make, ranges: as for `trace_ground`."""
    ground = trace_ground(make, ranges)
    everything = set(range(ground.inputs, ground.inputs + len(ground.ops)))
    constants, lines = _constants(ground.hosts, "A")
    registers = {i: f"w{i}" for i in range(ground.n)} | {i: f"k{i}" for i in ground.knobs.values()}
    out = _Lines(ground.ops, ground.inputs, constants | registers)
    fixed = ground.fixed()
    moving = everything - fixed
    roots = {ground.height, *ground.slope}
    # What the knobs alone decide is worked out once; the rest takes it by name.
    from_knobs = {
        j for i in out.needed(roots, moving) for j in ground.ops[i - ground.inputs][1:] if j in fixed
    }
    from_knobs |= roots & fixed
    once = out.needed({*from_knobs, *(i for i, _ in ground.guards)}, fixed)
    # A browser makes a new object for each number that it puts into a variable shared by functions.
    lines.append(f"const g = new Float64Array({ground.n});")
    kept = [*(f"k{i}" for i in ground.knobs.values()), *(f"x{i}" for i in sorted(once))]
    lines += [f"let {', '.join(kept)};"] if kept else []
    setting = [f"k{i} = knobs.{name};" for name, i in ground.knobs.items()]
    setting += out.write(once, named=once, declare="")
    holds = " && ".join(f"{out.value[i]} === {number(truth)}" for i, truth in ground.guards) or "true"
    lines += _function("set", ["knobs"], [*setting, f"return {holds};"])
    place = [f"w{k}" for k in range(ground.n)]
    for name, wanted in (("height", [ground.height]), ("slope", ground.slope)):
        its = _Lines(ground.ops, ground.inputs, out.value)
        body = its.write(its.needed(wanted, moving))
        if name == "height":
            body.append(f"return {its.value[ground.height]};")
        else:
            body += [f"g[{k}] = {its.value[i]};" for k, i in enumerate(wanted)]
        lines += _function(name, place, body)
    return "\n".join(lines)


def print_rule(rule, n=2):
    """Return a rule as JavaScript: walk, table and end, for any values of its knobs.

    Raises CannotTrace where the rule cannot be traced with its knobs left open.
    """
    state, knobs = parts(rule)
    unfit = [name for name, x in knobs.items() if isinstance(x, bool) or not isinstance(x, int | float)]
    if unfit:
        raise CannotTrace(f"the knob {unfit[0]} is no number")
    try:
        with np.errstate(all="ignore"):
            step = trace_step(rule, None, n, state, {name: np.zeros(1) for name in knobs})
    except CannotTrace:
        raise
    except Exception as error:
        raise CannotTrace(
            f"it does not work one weight at a time: {type(error).__name__}: {error}"
        ) from error
    return "\n".join([*_walk(step), *_end(step)])


def _parts(step):
    """Return the results of a step that are made once, those made anew in each step for all, and the rest."""
    changing = {old for old in step.carried if old >= step.n}
    changing |= {*range(step.n), *step.slopes}
    rows = list(enumerate(step.ops, step.inputs))
    for i, (_, *operands) in rows:
        if changing.intersection(operands):
            changing.add(i)
    once = {i for i, _ in rows if i not in changing}
    walking = {i for i, _ in rows if step.level(i) == WALK}
    return once, {i for i, _ in rows} - once - walking, walking


def _begin(step):
    """Return the texts of a step's registers and numbers, and the lines that every function begins with."""
    constants, lines = _constants(step.hosts, "B")
    value = constants | {i: f"k{i}" for i in step.knobs.values()}
    value |= {i: f"g[{k}]" for k, i in enumerate(step.slopes)} | {old: f"r{old}" for old in step.carried}
    return value, lines + [f"const k{i} = knobs.{name};" for name, i in step.knobs.items()]


def _carry(step, out, which):
    """Return the lines that hand some registers' new values on to the next step."""
    new = {old: step.carried[old] for old in which}
    lines = [f"const z{old} = {out.value[i]};" for old, i in new.items()]
    return [*lines, *(f"r{old} = z{old};" for old in new)]


def _walk(step):
    once, shared, walking = _parts(step)
    value, lines = _begin(step)
    out = _Lines(step.ops, step.inputs, value, step.carried.values())
    used = out.needed(step.carried.values(), once | shared | walking)
    lines += out.write(once & used, named=once)
    lines += [f"let r{i} = w[{i}];" for i in range(step.n)]
    lines += [f"let r{i} = {number(x)};" for i, x in step.state.items()]
    noise = " ".join(f"g[{k}] += shake[at + {k}];" for k in range(step.n))
    body = [f"slope({', '.join(f'r{i}' for i in range(step.n))});", f"if (shake) {{ {noise} }}"]
    body += out.write((shared | walking) & used)
    body += _carry(step, out, step.carried)
    finite = " && ".join(f"Number.isFinite(r{i})" for i in range(step.n))
    body += [f"at += {step.n};", f"if (!({finite})) {{ w.fill(NaN, at, {step.n} * (steps + 1)); return w; }}"]
    body += [f"w[at + {i}] = r{i};" for i in range(step.n)]
    lines += _block("for (let t = 0, at = 0; t < steps; t++)", body)
    return _function("walk", ["w", "steps", "knobs", "shake"], [*lines, "return w;"])


def _end(step):
    """Print a run of which only the end is kept: what all runs of a map share is in a table."""
    once, shared, walking = _parts(step)
    value, begin = _begin(step)
    out = _Lines(step.ops, step.inputs, value, step.carried.values())
    walks = [old for old in step.carried if step.level(old) == WALK]
    common = [old for old in step.carried if step.level(old) != WALK]
    body = out.needed([step.carried[old] for old in walks], walking)
    taken = {j for i in body for j in step.ops[i - step.inputs][1:]} | {step.carried[old] for old in walks}
    columns = sorted(taken & (shared | set(common)))
    # The table.
    used = out.needed([*columns, *(step.carried[old] for old in common)], once | shared)
    lines = [*begin, f"const u = new Float64Array(steps * {len(columns)});"]
    if columns:
        lines += out.write(once & used, named=once)
        lines += [f"let r{i} = {number(step.state[i])};" for i in common]
        steps = out.write(shared & used)
        steps += [f"u[at++] = {out.value[i]};" for i in columns]
        lines += _block("for (let t = 0, at = 0; t < steps; t++)", steps + _carry(step, out, common))
    read = {j for i in used for j in step.ops[i - step.inputs][1:]}
    names = ", ".join(f'"{name}"' for name, i in step.knobs.items() if i in read)
    text = [f"const shared = [{names}];", *_function("table", ["steps", "knobs"], [*lines, "return u;"])]
    # The run.
    out = _Lines(step.ops, step.inputs, value, step.carried.values())
    lines = [*begin, *out.write(once & out.needed(taken, once), named=once)]
    out.value |= {i: f"u[at + {k}]" for k, i in enumerate(columns)}
    lines += [f"let r{i} = w[{i}];" for i in range(step.n)]
    lines += [f"let r{i} = {number(step.state[i])};" for i in walks if i >= step.n]
    steps = [
        f"slope({', '.join(f'r{i}' for i in range(step.n))});",
        *out.write(body),
        *_carry(step, out, walks),
    ]
    head = "for (let t = 0" + ", at = 0" * bool(columns) + "; t < steps; t++"
    lines += _block(head + f", at += {len(columns)})" * bool(columns) + ")" * (not columns), steps)
    lines += [f"w[{i}] = r{i};" for i in range(step.n)]
    return text + _function("end", ["w", "steps", "knobs", "u"], lines)


def _block(head, lines):
    return [head + " {", *("  " + line for line in lines), "}"]


def _function(name, arguments, lines):
    return _block(f"function {name}({', '.join(arguments)})", lines)
