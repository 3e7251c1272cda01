"""What the page works out by itself is what Python shows: sentences, frames, landscapes, the noise."""

import base64
import itertools
import json

import numpy as np
import pytest
from drive import somewhere
from scipy.spatial import KDTree
from steady import steady

from optim_lessons import landscapes
from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import page as course_page
from optim_lessons.lab import scenes
from optim_lessons.lab.explore import explore
from optim_lessons.lab.frames import IMAGE, MARKS, PATH, TEXT, UNIT
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.printed import programs
from optim_lessons.lab.tape.grounds import knobs_of
from optim_lessons.momentum import momentum
from optim_lessons.rmsprop import rmsprop
from optim_lessons.sgd import noisy, sgd

browser_test = pytest.mark.browser


def signs(w, g, m=0.0, *, lr=0.05, beta=0.9):
    """Walk as a learner's own rule may."""
    m = np.where(m * g < 0, 0.0, beta * m) + np.sign(g)
    return w - lr * np.tanh(m), m


def braked(w, g, *, lr=0.05):
    """Walk by a rule that looks at its values, which a page cannot follow."""
    return w - lr * g / max(1.0, np.abs(g).max())


WALKS = {
    "a learner's rule": (signs, landscapes.beale, {}),
    "a valley": (adam, landscapes.rosenbrock, {}),
    "a ravine with knobs of its own": (gradient_descent, landscapes.quadratic, {}),
    "a saddle, above and below 0": (momentum, landscapes.saddle, {}),
    "a plateau with a ravine": (rmsprop, landscapes.plateau, {}),
    "real land": (gradient_descent, landscapes.terrain(), {"lr": (1e-4, 0.003)}),
}
RACERS = {"SGD": sgd, "momentum": momentum, "Adam": adam}
GROUNDS = {"ravine": landscapes.quadratic(condition=100, angle=20), "Beale": landscapes.beale}

_MAKE = """(values) => {
  const frame = maker.make(values);
  if (!frame) return null;
  const { words, numbers, book } = frame;
  return [words, [...numbers], [0, 1].map((k) => [...book.layers[numbers[k]]])];
}"""
_LOAD = """(text) => {
  window.maker = new Printed(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  return maker.ready.then(() => 1);
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=course_page.script())
    return page


def ready(page, explorer):
    """Let the page get an explorer's formulas; return what the numbers in its frames refer to."""
    packed = programs(explorer.live, explorer.controls, [explorer.values])
    assert len(packed) < 100_000
    page.evaluate(_LOAD, base64.b64encode(packed).decode())
    return json.loads(packed[4 : 4 + int.from_bytes(packed[:4], "little")])["news"]


def made(page, values):
    """Return the sentence, the numbers and the two layers below that the page makes of values, or None."""
    return page.evaluate(_MAKE, list(values.values()))


def read(calls, news):
    """Return calls with what they refer to: (kind, style, what, points in pixels of shape (n, 2)) each."""
    calls, at, found = np.asarray(calls), 0, []

    def points(at, n):
        return calls[at : at + 2 * n].reshape(2, n).T / UNIT

    while at < len(calls):
        kind, style = int(calls[at]), news["styles"][calls[at + 1]]
        if kind == PATH:
            parts, at, its = calls[at + 2], at + 3, []
            for _ in range(parts):
                its.append(points(at + 2, calls[at]))
                at += 2 + 2 * calls[at]
            found.append((kind, style, None, its))
        elif kind == MARKS:
            n = calls[at + 3]
            found.append((kind, style, news["shapes"][calls[at + 2]], points(at + 4, n)))
            at += 4 + 2 * n
        elif kind == TEXT:
            n, corner = calls[at + 5], calls[at + 2 : at + 4] / UNIT
            letters = calls[at + 6 : at + 6 + 4 * n].reshape(n, 4)
            outlines = [news["glyphs"][i] for i in letters[:, 0]]
            found.append((kind, style, (int(calls[at + 4]), outlines), corner + letters[:, 1:3] / UNIT))
            at += 6 + 4 * n
        else:
            assert kind == IMAGE
            found.append((kind, style, calls[at + 5 : at + 7].tolist(), calls[at + 3 : at + 5][None] / UNIT))
            at += 7
    return found


def along(parts):
    """Return points on lines, at most a pixel apart."""
    pieces = [np.empty((0, 2))]
    for points in parts:
        for a, b in itertools.pairwise(points):
            n = int(np.abs(b - a).max()) + 2
            pieces.append(a + (b - a) * np.linspace(0, 1, n)[:, None])
    return np.concatenate(pieces)


def apart(a, b):
    """Return how far, in pixels, the farthest point of one set is from the nearest of the other."""
    if not (len(a) and len(b)):
        return 0 if len(a) == len(b) else np.inf
    return max(KDTree(a).query(b)[0].max(), KDTree(b).query(a)[0].max())


def assert_alike(got, told):
    """Assert that two readings of calls show the same within a pixel."""
    assert [(kind, style) for kind, style, *_ in got] == [(kind, style) for kind, style, *_ in told]
    for (kind, _, what, places), (_, _, its, there) in zip(got, told, strict=True):
        assert what == its
        if kind == PATH:
            assert apart(along(places), along(there)) < 1.5  # the points along a line are a pixel apart
        elif kind == MARKS:
            assert apart(places, there) <= 1
        else:
            assert np.abs(places - there).max() <= 1


def assert_same_picture(page, explorer, values, here):
    told, (words, numbers, layers) = explorer.live.frame(values), made(page, values)
    assert words == told.reading
    there = explorer.live.book.news()
    assert_alike(read(numbers[3:], here), read(told.numbers[3:], there))
    for got, its in zip(layers, told.numbers[:2], strict=True):
        assert_alike(read(got, here), read(np.frombuffer(there["layers"][its], np.int16), there))


@browser_test
@pytest.mark.parametrize("name", WALKS)
def test_a_walk_s_sentence_and_frame_in_the_page_are_python_s(page, name):
    rule, landscape, knobs = WALKS[name]
    explorer = explore(rule, landscape, **knobs)
    here, compared = ready(page, explorer), 0
    own = {} if hasattr(landscape, "grad") else knobs_of(landscape)
    for values in itertools.islice(somewhere(explorer), 12):
        ground = landscape(**{k: values[k] for k in own}) if own else landscape
        start = np.array([values["start_x"], values["start_y"]], float)
        its = {k: values[k] for k in parts(rule).knobs}
        if steady(rule, ground.grad, start, values["steps"], **its)[1] > values["steps"]:
            assert_same_picture(page, explorer, values, here)
            compared += 1
    assert compared >= 5, "most random walks are steady"


@browser_test
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_race_s_sentence_and_frame_in_the_page_are_python_s(page, ground):
    # Up to twice the tuned lr: beyond it walks swing from wall to wall, and a last digit decides where to.
    explorer = explore(scenes.race(RACERS, GROUNDS, noisy), landscape=[ground], lr_scale=(0.05, 2.0))
    here = ready(page, explorer)
    for values in itertools.islice(somewhere(explorer), 8):
        assert_same_picture(page, explorer, values, here)


@browser_test
def test_the_noise_in_the_page_is_numpy_s(page):
    for seed, steps in ((0, 300), (7, 5000), (2**31 + 5, 40), (2**32 - 1, 40)):
        got = page.evaluate("([seed, steps]) => noise(seed, steps)", [seed, steps])
        told = [np.random.default_rng((seed, t)).standard_normal(2) for t in range(steps)]
        # The page works the layers of the ziggurat out; NumPy has them as a table.
        np.testing.assert_allclose(got, np.concatenate(told), rtol=1e-12)


def test_what_a_page_cannot_follow_is_left_to_the_kernel():
    explorer = explore(braked, landscapes.beale)
    assert programs(explorer.live, explorer.controls, [explorer.values]) is None
    assert explorer.reading.startswith("Braked: after 60 steps")
