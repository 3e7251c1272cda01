"""Every exercise, tried hard: zeros, huge and tiny numbers, other arrays, rewritten answers, odd functions.

What the reference does with an input the answer has to do too; what is right by the words on the page is
right in any form; and a message names no fault that is not there.
"""

import ast
import inspect
import re
import textwrap

import numpy as np
import pytest

from optim_lessons.course.check import check
from optim_lessons.course.exercises import EXERCISES
from optim_lessons.course.judging import rules
from optim_lessons.course.judging.functions import cases_of, results
from optim_lessons.course.judging.mistakes import source_of
from optim_lessons.course.judging.trials import hard_trials, run, several_runs, trials

pytestmark = pytest.mark.essential

RULES = [e for e in EXERCISES.values() if e.kind == "rule"]
FUNCTIONS = [e for e in EXERCISES.values() if e.kind == "function"]
NUMBERS = [e for e in EXERCISES.values() if e.kind == "number"]


def ids(e):
    return e.id


# --- what is tried -----------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", RULES, ids=ids)
def test_the_reference_stays_finite_in_every_trial_of_a_rule(exercise):
    cases = hard_trials(exercise.reference)
    for case in [*trials(exercise.reference), *cases, several_runs(exercise.reference)]:
        for answer in run(exercise.reference, case):
            assert all(np.isfinite(x).all() for x in answer), case.title
    titles = " ".join(case.title for case in cases)
    for word in (
        "gradients and weights are 0",
        "one coordinate",
        "huge",
        "tiny",
        "float32",
        "single",
        "parts",
    ):
        assert word in titles
    assert any(not case.gradients[0].flags.c_contiguous for case in cases)


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=ids)
def test_a_function_of_arrays_is_tried_in_float32_and_with_parts_of_larger_arrays(exercise):
    drawn = [x for x in next(iter(exercise.inputs(np.random.default_rng(0)).values())) if np.ndim(x)]
    arrays = [[x for x in args if np.ndim(x)] for args in cases_of(exercise).values()]
    apart = any(not x.flags.c_contiguous for case in arrays for x in case if x.shape[-1] > 1)
    single = any(x.dtype == np.float32 for case in arrays for x in case)
    assert apart == any(x.dtype == float for x in drawn)
    assert single == (apart and exercise.id != "02.numerical_gradient")  # whose page asks for float64


def test_an_answer_that_takes_only_arrays_in_one_piece_is_told_which_do_not_work():
    def glued(w, X, y, rows):
        X = np.frombuffer(X.tobytes() if X.flags.c_contiguous else X.base.tobytes(), X.dtype, X.size)
        X = X.reshape(-1, len(w))
        return X[rows].T @ (X[rows] @ w - y[rows]) / len(rows)

    assert "parts of larger ones" in check("03.batch_gradient", glued).text


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=ids)
def test_every_function_is_tried_with_zeros_or_extremes(exercise):
    titles = " ".join(exercise.inputs(np.random.default_rng(0)))
    assert re.search(r"\b0\b|huge|tiny|largest|equal|lost|long after", titles)


# --- right in any form -------------------------------------------------------------------------------


class _Rewrite(ast.NodeTransformer):
    """Turn a + b and a * b round, and write a power of 2 as a product."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult):
            node.left, node.right = node.right, node.left
        elif isinstance(node.op, ast.Pow) and ast.unparse(node.right) == "2":
            return ast.BinOp(node.left, ast.Mult(), node.left)
        return node


def turned(source):
    return ast.unparse(ast.fix_missing_locations(_Rewrite().visit(ast.parse(source))))


def with_temporaries(source):
    """Give each line of the form a = b + c two temporaries, and return through a tuple."""

    class Split(ast.NodeTransformer):
        n = 0

        def visit_Assign(self, node):
            if not isinstance(node.value, ast.BinOp) or isinstance(node.value.op, ast.MatMult):
                return node
            names = [f"part_{self.n}", f"part_{self.n + 1}"]
            Split.n += 2
            lines = [
                ast.Assign([ast.Name(name, ast.Store())], side)
                for name, side in zip(names, (node.value.left, node.value.right), strict=True)
            ]
            new = ast.BinOp(ast.Name(names[0], ast.Load()), node.value.op, ast.Name(names[1], ast.Load()))
            return [*lines, ast.Assign(node.targets, new)]

        def visit_Return(self, node):
            return [
                ast.Assign([ast.Name("result", ast.Store())], node.value),
                ast.parse("return result").body[0],
            ]

    return ast.unparse(ast.fix_missing_locations(Split().visit(ast.parse(source))))


def in_copies(source):
    """Write into copies of w and g first."""
    tree = ast.parse(source)
    names = {arg.arg for arg in tree.body[0].args.args}
    lines = [f"{name} = {name}.copy()" for name in ("w", "g") if name in names]
    lines += [f"{name} += 0" for name in ("w",) if name in names]
    tree.body[0].body[:0] = ast.parse("\n".join(lines)).body
    return ast.unparse(tree)


def rounded(source):
    """Disturb what is returned by a part in 1e12."""

    class Disturb(ast.NodeTransformer):
        def visit_Return(self, node):
            return ast.Return(ast.Call(ast.Name("disturbed", ast.Load()), [node.value], []))

    return ast.unparse(ast.fix_missing_locations(Disturb().visit(ast.parse(source))))


def disturbed(x):
    if isinstance(x, tuple):
        return tuple(map(disturbed, x))
    return x if isinstance(x, int) else x * (1 + 1e-12)


def made(exercise, source):
    namespace = dict(exercise.reference.__globals__) | {"np": np, "disturbed": disturbed}
    exec(source, namespace)
    return namespace[exercise.reference.__name__]


def _rewritten():
    for exercise in RULES + FUNCTIONS:
        source = textwrap.dedent(source_of(exercise.reference))
        for rewrite in (turned, with_temporaries, in_copies, rounded):
            yield pytest.param(exercise, rewrite(source), id=f"{exercise.id}-{rewrite.__name__}")


@pytest.mark.parametrize(("exercise", "source"), list(_rewritten()))
def test_a_harmless_rewriting_stays_right(exercise, source):
    verdict = check(exercise.id, made(exercise, source))
    assert verdict, f"{verdict}\n{source}"


def _by_zip(w, g, *, lr=0.01):
    return np.array([a - lr * b for a, b in zip(w, g, strict=True)])


def _by_index(w, g, *, lr=0.01):
    new = np.zeros(len(w))
    for i in range(len(w)):
        new[i] = w[i] - lr * g[i]
    return new


def _in_a_copy(w, g, *, lr=0.01):
    w = w.copy()
    w -= lr * g
    return w


def _momentum_by_index(w, g, m=0.0, *, lr=0.01, beta=0.9):
    new, velocity = np.zeros(len(w)), np.zeros(len(w))
    for i in range(len(w)):
        velocity[i] = beta * (m if np.ndim(m) == 0 else m[i]) + g[i]
        new[i] = w[i] - lr * velocity[i]
    return new, velocity


def _clipped_by_if(w, g, *, lr=0.01, clip=1.0):
    shape, rows = w.shape, []
    for one, slope in zip(w.reshape(-1, shape[-1]), g.reshape(-1, shape[-1]), strict=True):
        length = sum(x * x for x in slope) ** 0.5
        rows.append(one - lr * (slope / length * clip if length > clip else slope))
    return np.array(rows).reshape(shape)


def _time_as_a_list(losses, target):
    losses = np.asarray(losses)
    flat = losses.reshape(len(losses), -1)
    first = [next((i for i, x in enumerate(run) if x <= target), float("inf")) for run in flat.T]
    return np.reshape(first, losses.shape[1:]).tolist()


def _map_by_three_loops(lrs, betas, curvature, steps):
    rows = []
    for lr in lrs:
        rows.append([])
        for beta in betas:
            w, m = 1.0, 0.0
            for _ in range(steps):
                m = beta * m + curvature * w
                w = w - lr * m
            rows[-1].append(curvature * w**2 / 2)
    return rows


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("01.gradient_descent", _by_zip),
        ("01.gradient_descent", _by_index),
        ("01.gradient_descent", _in_a_copy),
        ("01.clipped_descent", _clipped_by_if),
        ("04.momentum", _momentum_by_index),
        ("11.time_to_target", _time_as_a_list),
        ("13.loss_map", _map_by_three_loops),
    ],
)
def test_loops_lists_and_copies_are_right(id, answer):
    verdict = check(id, answer)
    assert verdict, verdict


def test_a_rule_for_one_run_is_told_that_a_sweep_has_several():
    assert "It takes one run at a time" in check("01.gradient_descent", _by_index).text
    assert "one run at a time" not in check("01.gradient_descent", _by_zip).text
    assert "None over" not in check("13.loss_map", _map_by_three_loops).text


def test_an_array_that_the_words_ask_for_has_to_be_one():
    def as_a_list(a, b, again):
        means = (a - b)[again].mean(axis=1)
        return list(np.quantile(means, [0.025, 0.975]))

    assert check("11.bootstrap_interval", as_a_list).mistake == "returned-type"


# --- numbers -----------------------------------------------------------------------------------------

# What follows from the numbers on the page, in each reasonable way: other formulas, approximations, steps
# that are rounded on the way, a count that is rounded up.
FOLLOWS = {
    "00.first_check": [(3.01**2 - 2.99**2) / 0.02, (3.001**2 - 9) / 0.001],
    "01.largest_lr": [2 / 40],
    "01.ravine_steps": [np.log(10) / -np.log(99 / 101), 116, np.ceil(115.1), np.log(0.1) / np.log(0.98)],
    "02.best_h": [(3 * 6e-8) ** (1 / 3), 0.0056, 0.00565],
    "03.ball_radius": [0.8 * np.sqrt(0.1 / (4 * 1.6)), 0.1],
    "03.critical_batch": [32 * (2200 / 200 - 1), 1280 * (250 / 200 - 1)],
    "04.best_beta": [(9 / 11) ** 2, 0.818**2, 0.82**2],
    "05.nesterov_limit": [3.6 / 104, 0.0346],
    "06.steps_to_travel": [(2 / 0.02) ** 2, ((2 / 0.01 + 1.46) / 2) ** 2],  # by the integral, by the sum
    "07.first_step": [0.02 / np.sqrt(0.04), 0.02 / 0.2],
    "07.forget_burst": [np.log(100) / 0.01, np.log(99.99) / -np.log(0.99), 69 * 6.64, 69.3 * 6.64, 459],
    "08.steady_from": [np.log(0.02) / np.log(0.999), np.log(0.02) / -0.001, np.log(0.0197) / -0.001, 3925],
    "08.longest_step": [0.003 * 0.2 / 0.02],
    "08.reddi_beta2": [0.317, 0.32, 0.31],
    "09.beats_from": [2 / 0.006 - 1, 2 / 0.006, 332, 333],
    "09.per_epoch": [1.7e-4, 1.73e-4, 0.1 - 0.09983],
    "10.half_life": [np.log(2) / 1e-4, np.log(0.5) / np.log(1 - 1e-4), 6931, 6932, 0.69 / 1e-4],
    "10.decay_for": [np.log(10) / 9, 100 * (1 - 0.1 ** (1 / 900))],
    "11.trials_needed": [np.log(0.05) / np.log(0.8), 14],
    "11.images_needed": [
        *(2 * 0.0291 * (1.96 / 0.005) ** 2, 8942, 9000),
        (0.97 * 0.03 + 0.975 * 0.025) * (1.96 / 0.005) ** 2,
        (0.97 * 0.03 + 0.965 * 0.035) * (1.96 / 0.005) ** 2,
    ],
    "12.first_loss": [np.log(27), 3.3],
    "12.smallest_half": [2.0**-24, 5.96e-8, 6e-8],
    "13.edge_lr": [3.4 / 5],
    "13.converging_part": [3 / 8, 0.37, 0.38],
    "15.transfer": [0.012 / 8, 0.0015],
    "15.examples": [1 + 450 / 150, (150 + 450) / 150],
    "15.spike_step": [10.8 / np.sqrt(25.99), 10.8 / np.sqrt(26), 2.12],
    "15.memory": [27.1875, 3 * 9, 27.2, 27.1],
}
# Where two digits are too few, the check says so.
ROUNDED_TOO_FAR = {"05.nesterov_limit"}


def found(exercise):
    exec(exercise.solution, names := {"np": np})
    return float(names[exercise.name])


@pytest.mark.parametrize("exercise", NUMBERS, ids=ids)
def test_what_follows_from_the_numbers_on_the_page_in_a_reasonable_way_is_right(exercise):
    for value in FOLLOWS.get(exercise.id, []):
        assert check(exercise.id, value), value


@pytest.mark.parametrize("exercise", NUMBERS, ids=ids)
def test_both_ends_of_a_window_are_right_and_one_step_outside_is_not(exercise):
    low, high = exercise.accept
    for value, right in ((low, True), (high, True), (0.9999 * low, False), (1.0001 * high, False)):
        assert bool(check(exercise.id, value)) == right, value


@pytest.mark.parametrize("exercise", NUMBERS, ids=ids)
def test_a_right_number_may_be_rounded_to_two_three_or_four_digits(exercise):
    value = found(exercise)
    for digits in (2, 3, 4):
        verdict = check(exercise.id, float(f"{value:.{digits}g}"))
        if digits == 2 and exercise.id in ROUNDED_TOO_FAR:
            assert verdict.mistake == "rounded-too-far"
        else:
            assert verdict, digits
    if value > 50:  # a count of steps
        assert check(exercise.id, np.floor(value))
        assert check(exercise.id, np.ceil(value))


@pytest.mark.parametrize("exercise", NUMBERS, ids=ids)
def test_a_number_has_a_clear_window_and_a_mistake_never_stands_in_it(exercise):
    value = found(exercise)
    whole = exercise.id == "11.trials_needed"  # a count is a whole number, or the number before rounding up
    for error in (0, 1e-12, -1e-12, *(() if whole else (1e-4, -1e-4))):
        assert check(exercise.id, value * (1 + error))
    for factor in (0.5, 2, -1, 10, 0.1):
        assert not check(exercise.id, value * factor)
    assert not any(check(exercise.id, v) for m in exercise.mistakes for v in m.values)


# --- known wrong answers: the right idea, and not a false one -----------------------------------------

GD = "def my(w, g, *, lr=0.01):\n    return {}"
MOMENTUM = "def my(w, g, m=0.0, *, lr=0.01, beta=0.9):\n    {}"
CLIPPED = (
    "def my(w, g, *, lr=0.01, clip=1.0):\n    n = np.linalg.norm(g, axis=-1, keepdims=True)\n    return {}"
)
CAUTIOUS = (
    "def my(w, g, m=0.0, *, lr=1e-4, beta=0.9, weight_decay=0.01):\n"
    "    m = beta * m + (1 - beta) * g\n"
    "    return w - lr * {} - lr * weight_decay * w * ({}), m"
)
ADAGRAD = "def my(w, g, v=0.0, *, lr=0.01, eps=1e-10):\n    v = v + {}\n    return w - lr * g / {}, v"
RMSPROP = (
    "def my(w, g, v=0.0, *, lr=0.01, beta=0.99, eps=1e-8):\n"
    "    v = beta * v + (1 - beta) * {}\n    return w - lr * g / (np.sqrt(v) + eps), v"
)
AMSGRAD = (
    "def my(w, g, m=0.0, v=0.0, v_max=0.0, t=0, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):\n"
    "    t = t + 1\n    m = beta1 * m + (1 - beta1) * g\n    v = beta2 * v + (1 - beta2) * g**2\n"
    "    v_max = {}\n    v_hat = v_max / (1 - beta2**t)\n"
    "    return w - lr * m / (1 - beta1**t) / (np.sqrt(v_hat) + eps), m, v, v_max, t"
)
GROWING = (
    "def my(w, g, m=0.0, t=0, *, lr=0.01):\n    m = {} * m + g\n    return w - lr * (g + {} * m), m, t + 1"
)
SCALED = "def my(w, g, scale, lr):\n    {}"
PUBLISHED = (
    "def beta(t):\n    a = 1.0\n    for _ in range(t):\n        b, a = a, (1 + np.sqrt(1 + 4 * a * a)) / 2\n"
    "    return 0.0 if t < 0 else (a - 1) / ((1 + np.sqrt(1 + 4 * a * a)) / 2)\n"
) + GROWING.format("beta(t - 1)", "beta(t)")
MIXED, SHOWN, STATE, ONE = (
    "mixes the coordinates",
    "expected `",
    "in the very first call the state",
    "1 times",
)
KEEPDIMS, DIVISION = "keepdims", "division by 0"

WRONG = [  # id, source, what the text says, what it does not say
    ("01.gradient_descent", GD.format("w - lr * abs(g)"), [SHOWN], ["-1 times"]),
    ("01.gradient_descent", GD.format("w - lr @ g"), ["a knob is a single number"], [STATE]),
    ("01.gradient_descent", GD.format("w - lr[0] * g"), ["a knob is a single number"], [STATE]),
    ("01.gradient_descent", GD.format("w - lr * g.mean()"), [MIXED], [KEEPDIMS]),
    ("01.gradient_descent", GD.format("w - lr * (g @ g)"), [MIXED], [KEEPDIMS]),
    ("01.gradient_descent", GD.format("w - lr * g.max()"), [MIXED], [KEEPDIMS]),
    ("01.gradient_descent", GD.format("w - lr * g * np.sum(w)"), [MIXED], []),
    ("01.gradient_descent", GD.format("np.round(w - lr * g, 4)"), ["three digits are right"], [ONE]),
    ("01.gradient_descent", GD.format("np.round(w - lr * g, 8)"), ["three digits are right"], [ONE]),
    ("01.gradient_descent", GD.format("w - lr * g - 1e-7"), ["three digits are right"], [ONE]),
    ("01.gradient_descent", GD.format("w - 3 * lr * g"), ["3 times the right one", SHOWN], []),
    ("01.gradient_descent", GD.format("w - lr * g**2"), [SHOWN], ["times the right"]),
    ("01.gradient_descent", GD.format("w - lr * g / 2"), ["0.5 times the right one"], []),
    ("01.gradient_descent", GD.format("(w - lr * g).tolist()"), ["returns a list"], []),
    ("01.gradient_descent", GD.format("w - lr * g / np.abs(w)"), [SHOWN], []),
    ("01.clipped_descent", CLIPPED.format("w - lr * g / n * np.minimum(n, clip)"), ["nan", DIVISION], [ONE]),
    (
        "01.clipped_descent",
        CLIPPED.format("w - lr * g * np.minimum(1, clip / (n + 1e-7))"),
        ["three digits are right"],
        [ONE],
    ),
    ("01.clipped_descent", CLIPPED.format("w - lr * np.clip(g, -clip, clip)"), ["each coordinate by"], []),
    ("10.cautious", CAUTIOUS.format("m / np.abs(m)", "m * w > 0"), ["nan", DIVISION], [ONE]),
    (
        "10.cautious",
        CAUTIOUS.format("np.where(m > 0, 1, -1)", "m * w > 0"),
        ["With ordinary numbers all is right", SHOWN],
        [DIVISION],
    ),
    (
        "10.cautious",
        CAUTIOUS.format("np.sign(m)", "m * w >= 0"),
        ["With ordinary numbers all is right", "one coordinate is 0", "The sign of 0 is 0"],
        [DIVISION],
    ),
    (
        "10.cautious",
        CAUTIOUS.format("np.where(m >= 0, 1.0, -1.0)", "m * w > 0"),
        ["gradients and weights are 0"],
        [],
    ),
    ("10.cautious", CAUTIOUS.format("np.sign(m)", "m @ w > 0"), [MIXED], []),
    ("07.rmsprop", RMSPROP.format("np.mean(g**2)"), [MIXED], [KEEPDIMS]),
    ("07.rmsprop", RMSPROP.format("np.max(g) ** 2"), [MIXED], [KEEPDIMS]),
    ("07.rmsprop", RMSPROP.format("np.mean(g) ** 2"), [MIXED], [KEEPDIMS]),
    ("07.rmsprop", RMSPROP.format("np.median(g**2)"), [MIXED], [KEEPDIMS]),
    ("06.adagrad", ADAGRAD.format("g @ g", "(np.sqrt(v) + eps)"), ["same number"], [KEEPDIMS]),
    ("06.adagrad", ADAGRAD.format("g.max() ** 2", "(np.sqrt(v) + eps)"), [MIXED], [KEEPDIMS]),
    ("08.amsgrad", AMSGRAD.format("max(v_max, v.max())"), [MIXED], [KEEPDIMS]),
    ("08.amsgrad", AMSGRAD.format("np.maximum(v_max, v.max())"), [MIXED], [KEEPDIMS]),
    ("08.amsgrad", AMSGRAD.format("np.max(v_max, v)"), ["`np.maximum` compares"], [STATE]),
    ("08.amsgrad", AMSGRAD.format("np.max([v_max, v])"), ["`np.maximum`"], [STATE]),
    (
        "06.adagrad_norm",
        ADAGRAD.format("np.sum(g**2, axis=-1, keepdims=True)", "np.sqrt(v + eps)"),
        ["inside the root"],
        [KEEPDIMS],
    ),
    ("06.adagrad_norm", ADAGRAD.format("np.sum(g**2, axis=-1)", "(np.sqrt(v) + eps)"), [KEEPDIMS], ["eps"]),
    (
        "05.nesterov_growing",
        GROWING.format("(t - 1) // (t + 2)", "t // (t + 3)"),
        ["`//` divides"],
        ["starts from"],
    ),
    ("05.nesterov_growing", PUBLISHED, ["paper of 1983"], ["starts from"]),
    ("04.momentum", MOMENTUM.format("return w - lr * m.copy(), m"), ["in the very first call"], []),
    ("04.momentum", MOMENTUM.format("m = beta * m + g.sum()\n    return w - lr * m, m"), [MIXED], [KEEPDIMS]),
    ("04.momentum", MOMENTUM.format("return w - lr[0] * g, m"), ["a knob is a single number"], [STATE]),
    ("04.momentum", MOMENTUM.format("m = beta * m + g\n    return [w - lr * m, m]"), ["returns a list"], []),
    (
        "04.momentum",
        MOMENTUM.format("m = beta * m + g\n    return w - lr * m, 0.0"),
        ["each weight has a number of its own"],
        [],
    ),
    (
        "12.scaled_step",
        SCALED.format(
            "if not np.isfinite(g).all():\n        scale = scale / 2\n"
            "    return w - lr * g.astype(float) / scale"
        ),
        ["NaN or infinity", "first ask whether all of `g` is finite"],
        [DIVISION],
    ),
    ("12.scaled_step", SCALED.format("return w - lr * g.astype(float) / scale"), ["infinities"], [DIVISION]),
    (
        "02.damped_newton",
        "def my(w, g, H, damping):\n    return w - g / (np.diag(H) + damping)",
        ["by the diagonal alone"],
        ["Two things", "every entry"],
    ),
]


@pytest.mark.parametrize(("id", "source", "said", "unsaid"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong_and_nothing_else(id, source, said, unsaid, tmp_path):
    file = tmp_path / "cell.py"
    file.write_text(source)
    exec(compile(source, str(file), "exec"), namespace := {"np": np})
    answer = namespace["my"]
    verdict = check(id, answer)
    assert not verdict
    assert verdict.mistake != "check-failed"
    for text in said:
        assert text in verdict.text, verdict
    for text in unsaid:
        assert text not in verdict.text, verdict


# --- functions that count their calls, and change their answers -----------------------------------------

ODD_RESULTS = {
    "nothing": lambda new, w: None,
    "short": lambda new, w: (w[:1], new),
    "w alone": lambda new, w: w,
    "a list": lambda new, w: [w, [1]],
    "text": lambda new, w: "w",
    "words": lambda new, w: (w, "m"),
    "objects": lambda new, w: (w, np.array([None, 1])),
    "three": lambda new, w: (w, w, w),
    "numbers": lambda new, w: (0.0, 1),
    "infinite": lambda new, w: (w * np.inf, w * np.nan),
    "an error": lambda new, w: new[7],
}


@pytest.mark.parametrize("odd", ODD_RESULTS)
@pytest.mark.parametrize("call", [1, 2, 3, 7, 11, 26, 40, 60, 75])
def test_a_rule_that_answers_oddly_in_one_call_ends_in_a_verdict(odd, call):
    calls = [0]

    def my_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
        calls[0] += 1
        m = beta * m + g
        new = w - lr * m, m
        return ODD_RESULTS[odd](new, w) if calls[0] == call else new

    verdict = EXERCISES["04.momentum"].judge(my_momentum)  # which, unlike check, hides no fault of its own
    assert not verdict


@pytest.mark.parametrize("first", [lambda w, m: (w[:1], m), lambda w, m: w[:1]])
@pytest.mark.parametrize(
    "later", [lambda w, m: w, lambda w, m: [w, [1]], lambda w, m: (w, m, m), lambda w, m: 3]
)
def test_a_rule_whose_first_answer_is_of_another_kind_ends_in_a_verdict(first, later):
    calls = [0]

    def my_momentum(w, g, m=0.0, *, lr=0.01, beta=0.9):
        calls[0] += 1
        return first(w, m) if calls[0] == 1 else later(w, m)

    assert not EXERCISES["04.momentum"].judge(my_momentum)


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=ids)
def test_a_function_that_changes_its_answer_is_told_so(exercise):
    names = ", ".join(inspect.signature(exercise.reference).parameters)
    cases = len(cases_of(exercise))
    source = source_of(exercise.reference, "inner")
    head = source.splitlines()[0].replace("inner", "answer")
    source += f"calls = []\n{head}\n    calls.append(1)\n    return inner({names}) + (len(calls) > {cases})\n"
    exec(source, namespace := {"np": np})
    assert check(exercise.id, namespace["answer"]).mistake == "hidden-memory"


@pytest.mark.parametrize("exercise", RULES, ids=ids)
def test_a_rule_that_is_right_until_it_is_called_again_is_told_so(exercise):
    names = [p.name for p in inspect.signature(exercise.reference).parameters.values()]
    knobs = [
        p.name for p in inspect.signature(exercise.reference).parameters.values() if p.kind == p.KEYWORD_ONLY
    ]
    call = ", ".join([n for n in names if n not in knobs] + [f"{n}={n}" for n in knobs])
    source = source_of(exercise.reference, "inner")
    head = source.splitlines()[0].replace("inner", "answer")
    ordinary = trials(exercise.reference) + hard_trials(exercise.reference)
    calls = sum(len(case.gradients) for case in ordinary)
    source += f"calls = []\n{head}\n    calls.append(1)\n    new = inner({call})\n"
    source += f"    if len(calls) <= {calls}:\n        return new\n"
    source += "    return (new[0] + 1, *new[1:]) if isinstance(new, tuple) else new + 1\n"
    exec(source, namespace := {"np": np})
    assert check(exercise.id, namespace["answer"]).mistake == "hidden-memory"


# --- what it costs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["w - 1.3 * lr * m_hat / (np.sqrt(v_hat) + eps) ** 1.01", "w - lr * m_hat * 1.37 / (v + eps)"]
)
def test_an_answer_that_is_recognised_as_nothing_tries_few_of_all_pairs_of_mistakes(line, monkeypatch):
    tried = []
    make = rules.variant

    def counted(*args):
        tried.append(args)
        return make(*args)

    monkeypatch.setattr(rules, "variant", counted)
    exercise = EXERCISES["08.adam"]
    source = source_of(exercise.reference, "answer")
    exec(source.replace("w - lr * m_hat / (np.sqrt(v_hat) + eps)", line), namespace := {"np": np})
    assert exercise.judge(namespace["answer"]).mistake is None
    pairs = {frozenset(args[1:]) for args in tried if len(args) == 3}
    n = len(exercise.mistakes)
    assert 0 < len(pairs) < n * (n - 1) / 2 / 2


def test_a_variant_stops_at_the_first_step_that_differs(monkeypatch):
    calls = []
    make = rules.variant

    def counted(*args):
        made = make(*args)

        def rule(*inputs, **knobs):
            calls.append(args)
            return made(*inputs, **knobs)

        return rule

    monkeypatch.setattr(rules, "variant", counted)
    exercise = EXERCISES["04.momentum"]
    exec(
        source_of(exercise.reference, "answer").replace("lr * m", "1.7 * lr * m + 1"), namespace := {"np": np}
    )
    assert exercise.judge(namespace["answer"]).mistake is None
    assert len(calls) < 3 * len(set(calls))


def test_results_of_a_function_are_compared_case_by_case():
    exercise = EXERCISES["13.loss_map"]
    cases = exercise.inputs(np.random.default_rng(0))
    assert len(results(exercise.reference, cases)) == len(cases)


@pytest.mark.parametrize("exercise", RULES, ids=ids)
def test_a_slip_in_one_weight_of_many_runs_is_shown_at_its_place(exercise):
    def slip(new, w):
        if w.shape[-1] == 24 or w.ndim > 1:
            new = (
                (new if isinstance(new, tuple) else (new,))[0].copy(),
                *(new[1:] if isinstance(new, tuple) else ()),
            )
            new[0][..., -1] += 1
        return new if len(new) > 1 or not isinstance(new, tuple) else new[0]

    parameters = inspect.signature(exercise.reference).parameters.values()
    given = [p.name if p.kind != p.KEYWORD_ONLY else f"{p.name}={p.name}" for p in parameters]
    source = source_of(exercise.reference, "inner")
    source += (
        source.splitlines()[0].replace("inner", "answer")
        + f"\n    return slip(inner({', '.join(given)}), w)\n"
    )
    exec(source, namespace := {"np": np, "slip": slip})
    verdict = exercise.judge(namespace["answer"])
    assert verdict.mistake is None
    expected, came = re.search(r"expected `w = \[(.*)\]`, came `w = \[(.*)\]`", verdict.text).groups()
    expected, came = (np.array([float(x) for x in text.split(",")]) for text in (expected, came))
    np.testing.assert_allclose(came[-1] - expected[-1], 1, atol=1e-2)
    assert len(verdict.text) < 900
