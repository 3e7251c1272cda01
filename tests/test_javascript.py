"""A rule and a landscape printed as JavaScript walk where `path` walks; what cannot be printed is refused."""

import base64

import numpy as np
import pytest
from discovery import LANDSCAPES, RULES, factories
from steady import steady

from optim_lessons import landscapes as ground
from optim_lessons.adam import adam
from optim_lessons.lab.controls import RANGES
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.tape.grounds import knobs_of, trace_ground
from optim_lessons.lab.tape.javascript import formula, number, print_ground, print_rule
from optim_lessons.lab.tape.trace import NUMBERS, TRUTHS, CannotTrace

CLOSE = 1e-12  # relative: Math.exp, Math.cos and ** may differ from NumPy's in the last place
STEPS = 300

# One walk for each job: [number of the landscape's text, of the rule's, knobs, start, steps].
_WALK = """([grounds, rules, jobs]) => {
  const programs = new Map(), out = [];
  for (const [ground, rule, knobs, start, steps] of jobs) {
    const text = `${grounds[ground]}\\n${rules[rule]}\\nreturn { set, height, walk, table, end };`;
    if (!programs.has(text)) programs.set(text, new Function(text)());
    const its = programs.get(text), holds = its.set(knobs);
    const w = new Float64Array(2 * steps + 2), end = Float64Array.from(start);
    w.set(start);
    its.walk(w, steps, knobs, null);
    its.end(end, steps, knobs, its.table(steps, knobs));
    const heights = Float64Array.from({ length: steps + 1 }, (_, i) => its.height(w[2 * i], w[2 * i + 1]));
    for (const row of [w, heights, end, Float64Array.of(holds)])
      out.push(btoa(Array.from(new Uint8Array(row.buffer), (byte) => String.fromCharCode(byte)).join("")));
  }
  return out;
}"""


@pytest.fixture(scope="module")
def page(browser):
    return browser.new_page()


def walked(page, jobs):
    """Return for each job (landscape, rule, knobs, start, steps) its path, heights, end and guard."""
    grounds = {id(make): print_ground(make, _ranges(make)) for make, *_ in jobs}
    rules = {id(rule): print_rule(rule) for _, rule, *_ in jobs}
    places = [{key: i for i, key in enumerate(texts)} for texts in (grounds, rules)]
    rows = page.evaluate(
        _WALK,
        [
            list(grounds.values()),
            list(rules.values()),
            [
                [places[0][id(make)], places[1][id(rule)], knobs, list(map(float, start)), steps]
                for make, rule, knobs, start, steps in jobs
            ],
        ],
    )
    numbers = [np.frombuffer(base64.b64decode(row)) for row in rows]
    return [
        (w.reshape(-1, 2), h, end, bool(holds))
        for w, h, end, (holds,) in zip(*[iter(numbers)] * 4, strict=True)
    ]


def _ranges(make):
    return {} if hasattr(make, "grad") else {name: RANGES.get(name, ()) for name in knobs_of(make)}


def compare(job, result):
    make, rule, knobs, start, steps = job
    landscape = make if hasattr(make, "grad") else make(**{name: knobs[name] for name in knobs_of(make)})
    its = {name: knobs[name] for name in parts(rule).knobs}
    ws, known = steady(rule, landscape.grad, start, steps, **its)
    got, heights, end, holds = result
    assert holds
    np.testing.assert_allclose(got[:known], ws[:known], rtol=CLOSE, atol=CLOSE)
    with np.errstate(all="ignore"):
        told = landscape(got)
        scale = CLOSE * np.ptp(landscape(np.array(landscape.box).T))
    np.testing.assert_allclose(heights, told, rtol=CLOSE, atol=scale)
    if np.isfinite(got).all():
        assert (end == got[-1]).all(), "a run whose end alone is kept ends elsewhere"
    return known


@pytest.mark.browser
def test_a_printed_walk_of_adam_in_a_valley_is_the_path(page):
    job = (ground.rosenbrock, adam, dict(parts(adam).knobs) | {"lr": 0.05}, ground.rosenbrock.start, STEPS)
    assert compare(job, walked(page, [job])[0]) == STEPS + 1


@pytest.mark.browser
def test_every_rule_on_every_landscape_walks_in_the_page_as_path_does(page):
    jobs = [
        (
            landscape,
            rule,
            dict(parts(rule).knobs) | {"lr": lr},
            landscape.start,
            STEPS if name != "terrain" else 60,
        )
        for rule in RULES.values()
        for name, landscape in LANDSCAPES.items()
        for lr in (2e-3, 0.05)
    ]
    known = [compare(job, result) for job, result in zip(jobs, walked(page, jobs), strict=True)]
    whole = [n == steps + 1 for n, (*_, steps) in zip(known, jobs, strict=True)]
    assert np.mean(whole) > 0.9, "most of these walks are steady from their start to their end"


@pytest.mark.browser
@pytest.mark.parametrize("name", [name for name in factories() if name != "terrain"])
def test_a_landscape_s_own_knobs_are_open_in_the_page(page, name):
    make, rng = factories()[name], np.random.default_rng(0)
    jobs = []
    for rule in (RULES["momentum"], RULES["adam"]):
        for _ in range(6):
            its = {k: x * rng.uniform(0.3, 3) + (k == "condition") for k, x in knobs_of(make).items()}
            start = make().start + rng.uniform(-0.5, 0.5, size=2)
            jobs.append((make, rule, dict(parts(rule).knobs) | its | {"lr": 0.001}, start, 80))
    for job, result in zip(jobs, walked(page, jobs), strict=True):
        assert compare(job, result) > 20


@pytest.mark.browser
def test_where_a_landscape_refuses_a_knob_the_page_is_told(page):
    knobs = dict(parts(adam).knobs) | {"condition": 0.5, "angle": 0.0}
    assert not walked(page, [(ground.quadratic, adam, knobs, [1.0, 1.0], 3)])[0][3]


@pytest.mark.browser
def test_every_function_that_a_tape_knows_is_the_same_in_the_page(page):
    values = np.array([-3.5, -2.5, -0.5, -0.0, 0.0, 0.3, 0.5, 1.5, 2.5, 7.0, np.inf, -np.inf, np.nan])
    truths = np.array([True, False])
    for name in sorted(NUMBERS | TRUTHS):
        inputs = truths if name.startswith("logical") else values
        if name == "where":
            cases = [(c, x, y) for c in truths for x in values[:3] for y in values[:3]]
        else:
            function = getattr(np, name)
            cases = [(x,) for x in inputs] if function.nin == 1 else [(x, y) for x in inputs for y in inputs]
        texts = [formula(name, [number(x) for x in case]) for case in cases]
        got = page.evaluate(f"() => [{', '.join(texts)}].map(x => Object.is(x, -0) ? '-0' : String(x))")
        with np.errstate(all="ignore"):
            arrays = [np.array(operands) for operands in zip(*cases, strict=True)]
            told = getattr(np, name)(*arrays)  # of scalars NumPy's power takes short cuts
        for case, text, x in zip(cases, got, told, strict=True):
            y = {"true": 1.0, "false": 0.0, "Infinity": np.inf, "-Infinity": -np.inf, "NaN": np.nan}.get(text)
            y = float(text) if y is None else y
            assert np.isclose(float(x), y, rtol=1e-15, atol=0, equal_nan=True), (name, case, text, x)


def test_a_rule_that_asks_for_a_value_is_not_printed_and_its_line_is_named():
    def clipped(w, g, *, lr=0.1):
        if lr > 1:
            lr = 1.0
        return w - lr * g

    with pytest.raises(CannotTrace, match="if lr > 1"):
        print_rule(clipped)


def test_a_landscape_that_hides_a_knob_from_the_tape_is_not_printed():
    def steep(*, slope=2.0):
        plain = float(slope)
        return ground.Landscape(
            "tilt", lambda w: plain * w[..., 0],
            lambda w: np.stack([plain + 0 * w[..., 0], 0 * w[..., 1]], axis=-1),
            [0, 0], [[0, 0]], ((-1, 1), (-1, 1)),
        )  # fmt: skip

    print_ground(steep)  # at its default there is nothing to hide
    with pytest.raises(CannotTrace, match="leaves no trace"):
        trace_ground(steep, {"slope": (1.0, 3.0)})


def test_a_landscape_whose_minima_move_is_not_printed():
    def moved(*, by=1.0):
        return ground.Landscape(
            "moved", lambda w: (w[..., 0] - by) ** 2 + w[..., 1] ** 2,
            lambda w: np.stack([2 * (w[..., 0] - by), 2 * w[..., 1]], axis=-1),
            [0, 0], [[by, 0]], ((-1, 1), (-1, 1)),
        )  # fmt: skip

    with pytest.raises(CannotTrace, match="leaves no trace"):
        trace_ground(moved, {"by": (0.0, 2.0)})
