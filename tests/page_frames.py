"""What a page makes of an explorer's formulas, beside what Python makes: frames, read and compared."""

import base64
import itertools
import json

import numpy as np
from scipy.spatial import KDTree

from optim_lessons.lab.frames import IMAGE, MARKS, PATH, TEXT, UNIT
from optim_lessons.lab.printed import programs

_MAKE = """async (values) => {
  const frame = (await maker.later(values)) ?? maker.make(values);
  if (!frame) return null;
  const { words, numbers, book } = frame;
  return [words, [...numbers], [0, 1].map((k) => [...book.layers[numbers[k]]])];
}"""
_LOAD = """(text) => {
  window.maker = new Printed(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  return maker.ready.then(() => 1);
}"""


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
