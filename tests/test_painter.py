"""What the page paints is what Matplotlib draws: the canvas beside Agg's picture; numbers; dark colours."""

import base64
import io

import matplotlib
import numpy as np
import pytest
from drive import somewhere
from lab_page import CHROMIUM_ARGUMENTS
from matplotlib.colors import to_hex
from matplotlib.text import Text
from PIL import Image
from scipy import ndimage

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab import page as course_page
from optim_lessons.lab.canvas import FINE, on_page
from optim_lessons.lab.explore import explore
from optim_lessons.lab.frames import pack_frames
from optim_lessons.lab.live import LiveFigure
from optim_lessons.lab.plots import ALERT, RULE_STYLES, look
from optim_lessons.lab.scenes import race, walk
from optim_lessons.landscapes import quadratic, rosenbrock, terrain
from optim_lessons.momentum import momentum, spectral_radius
from optim_lessons.pictures import (
    a_million_runs,
    failures,
    landscapes,
    nesterov,
    schedules,
    sgd,
    weight_decay,
)
from optim_lessons.pictures import adagrad as adagrad_pictures
from optim_lessons.pictures import adam as adam_pictures
from optim_lessons.pictures import gradient_descent as descent_pictures
from optim_lessons.pictures import momentum as momentum_pictures
from optim_lessons.pictures import scale as scale_pictures
from optim_lessons.pictures.stability import stability_map
from optim_lessons.sgd import noisy

pytestmark = pytest.mark.browser

SCENES = {
    "a walk in a valley": lambda: walk(adam, rosenbrock),
    "a walk in a ravine": lambda: walk(gradient_descent, quadratic),
    "a walk on real land": lambda: walk(gradient_descent, terrain()),
    "a race": lambda: race(
        {"SGD": gradient_descent, "Adam": adam}, {"ravine": quadratic(condition=100)}, noisy
    ),
    "a parabola": descent_pictures.parabola,
    "two factors": descent_pictures.two_factors,
    "differences": landscapes.differences,
    "a chord": landscapes.chord,
    "Newton's steps": landscapes.newton,
    "a ball": sgd.ball,
    "a ravine": momentum_pictures.ravine,
    "a spring": momentum_pictures.spring,
    "velocity": momentum_pictures.velocity,
    "stability": lambda: stability_map(momentum, spectral_radius),
    "arrows": nesterov.arrows,
    "a guarantee": nesterov.guarantee,
    "rare and frequent": adagrad_pictures.rare_and_frequent,
    "memories": adam_pictures.memories,
    "Reddi's walk": adam_pictures.reddi_walk,
    "a noisy ravine": schedules.noisy_ravine,
    "pulls": weight_decay.pulls,
    "maps": weight_decay.maps,
    "too large an lr": failures.too_large_lr,
    "widths": scale_pictures.widths,
    "batches": scale_pictures.batches,
    "one run with many ends": scale_pictures.ends,
    "basins": a_million_runs.basins,
    "the edge": a_million_runs.edge,
}


@pytest.fixture(scope="module")
def blank(chromium):
    """Yield an empty page with the course's script in it."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page()
        page.add_script_tag(content=course_page.script())
        yield page
        browser.close()


_PAINT = """async ([packed, size, ratio, dark]) => {
  const book = new Book();
  const rows = book.add(unpack(Uint8Array.from(atob(packed), letter => letter.charCodeAt(0)).buffer));
  await book.ready;
  const canvas = document.createElement("canvas"), painter = new Painter(canvas, size);
  painter.dark = dark;
  painter.resize(ratio);
  for (const row of rows) painter.paint(row, book);
  return canvas.toDataURL("image/png");
}"""


def painted(blank, live, frames, ratio, dark=False):
    """Return what the page shows after painting frames one after the other: (rows, columns, 3) of numbers."""
    packed = pack_frames(live.book.news(), [frame.numbers for frame in frames])
    url = blank.evaluate(_PAINT, [base64.b64encode(packed).decode(), on_page(live.figure), ratio, dark])
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")


def pixels(image):
    return np.asarray(image).astype(np.int16)


def drawn(live, ratio):
    """Return what Agg draws of the values drawn last, and its texts' boxes: left, top, right, bottom."""
    figure = live.figure
    usual = figure.dpi
    with look(), np.errstate(all="ignore"):
        figure.set_dpi(ratio * usual / FINE)
        try:
            figure.canvas.draw()
            for artist in live.slow + live.quick:
                artist.axes.draw_artist(artist)
            picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
            texts = figure.findobj(lambda one: isinstance(one, Text) and one.get_visible() and one.get_text())
            boxes = [one.get_window_extent(figure.canvas.get_renderer()).extents for one in texts]
        finally:
            figure.set_dpi(usual)
            live._under = None
    texts = np.array([box for box in boxes if np.isfinite(box).all()])
    left, bottom, right, top = np.clip(texts, 0, None).T
    corners = [
        np.floor(left),
        np.floor(picture.height - top),
        np.ceil(right),
        np.ceil(picture.height - bottom),
    ]
    return picture, np.clip(corners, 0, None).T.astype(int).tolist()


SHADE = 64  # of 255: by how much the grey of an edge may differ
FEW = 1 / 2000  # of all pixels: so many may differ, where many lines meet
FAINT = 0.05  # of a text's box: so much of it may differ; the ink of letters fills more


def strange(one, other, reach):
    """Return how far each pixel of one picture is outside all that the other one has near that place."""
    around = (2 * reach + 1, 2 * reach + 1, 1)
    low, high = (kind(pixels(other), around) for kind in (ndimage.minimum_filter, ndimage.maximum_filter))
    return np.maximum(low - pixels(one), pixels(one) - high).max(axis=-1)


def differences(one, other, reach):
    """Return where two pictures differ by more than a shift of an edge: an array of True and False."""
    return np.maximum(strange(one, other, reach), strange(other, one, reach)) > SHADE


def spots(differs, size):
    """Return how many squares of so many pixels differ all over."""
    return int(np.lib.stride_tricks.sliding_window_view(differs, (size, size)).all(axis=(2, 3)).sum())


def assert_alike(shown, expected, boxes, ratio):
    """Assert that two pictures differ only at edges.  boxes: where texts stand."""
    assert shown.size == expected.size
    differs = differences(shown, expected, ratio)
    for left, top, right, bottom in boxes:
        text = differs[top:bottom, left:right]
        assert text.size == 0 or text.mean() <= FAINT, f"the text at {left}, {top} is another one"
        text[:] = False
    assert not spots(differs, ratio + 2), f"something differs at {np.argwhere(differs)[:5].tolist()} (y, x)"
    assert differs.mean() <= FEW, f"lines differ at {np.argwhere(differs)[:5].tolist()} (y, x)"


@pytest.mark.parametrize(
    ("name", "ratio"), [(name, ratio) for i, name in enumerate(SCENES) for ratio in (1, 2)[i % 2 :]]
)
def test_the_page_paints_what_matplotlib_draws(blank, name, ratio, monkeypatch):
    # Letters that are fitted to pixels are as wide as these allow: a long text drifts by a pixel.
    monkeypatch.setitem(matplotlib.rcParams, "text.hinting", "none")
    live, frames = some_frames(SCENES[name]())
    expected, boxes = drawn(live, ratio)
    assert_alike(painted(blank, live, frames, ratio), expected, boxes, ratio)


WHITE = (255, 255, 255)
FAULTS = {
    "a mark is missing": lambda picture, text: picture.paste(WHITE, (500, 180, 505, 185)),
    "a line is missing": lambda picture, text: picture.paste(WHITE, (0, 200, 960, 201)),
    "a text is missing": lambda picture, text: picture.paste(WHITE, text),
    "a text is another one": lambda picture, text: picture.paste(picture.crop(text).rotate(180), text[:2]),
    "all is two pixels to the right": lambda picture, text: picture.paste(picture.copy(), (2, 0)),
    "colours are paler": lambda picture, text: picture.paste(
        Image.blend(picture, picture.point(lambda x: 255), 0.5)
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_sees_a_fault(fault):
    live, _ = some_frames(failures.too_large_lr())
    expected, boxes = drawn(live, 1)
    expected.paste((40, 40, 40), (500, 180, 505, 185))
    expected.paste((40, 40, 40), (0, 200, 960, 201))
    assert_alike(expected, expected, boxes, 1)
    faulty = expected.copy()
    FAULTS[fault](faulty, max(map(tuple, boxes), key=lambda box: box[2] - box[0]))
    with pytest.raises(AssertionError, match=r"differ|another"):
        assert_alike(faulty, expected, boxes, 1)


def some_frames(scene):
    """Return a live figure, and frames of its defaults and of other values, which it has drawn last."""
    explorer = explore(scene)
    live = explorer.live
    (values,) = somewhere(explorer, 1)
    return live, [live.frame(explorer.values), live.frame(values)]


def printed(blank, values, digits):
    return blank.evaluate("([values, digits]) => values.map(x => general(x, digits))", [values, digits])


@pytest.mark.parametrize("digits", [3, 4, 6])
def test_the_page_prints_numbers_as_python_does(blank, digits):
    rng = np.random.default_rng(0)
    scattered = rng.choice([-1.0, 1.0], 4000) * 10 ** rng.uniform(-320, 308, 4000)
    usual = np.round(rng.uniform(0, 10, 2000), 3) * 10.0 ** rng.integers(-7, 7, 2000)
    halves = np.arange(1, 40_001, 7) / 8  # two numbers of few digits are equally near
    ends = [0.0, -0.0, 9999.5, 0.00099995, 99995.0, 5e-324, 1e-4, 9.9999e-5, 123456789.0]
    values = [*scattered.tolist(), *usual.tolist(), *halves.tolist(), *ends]
    assert printed(blank, values, digits) == [format(x, f".{digits}g") for x in values]


def test_a_number_that_was_printed_is_typed_back_as_the_same_number(blank):
    values = (10 ** np.random.default_rng(0).uniform(-12, 6, 500)).tolist()
    texts = [format(x, ".4g") for x in values]
    assert blank.evaluate("texts => texts.map(typed)", texts) == [float(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1", 0.1),
        (" .5 ", 0.5),
        ("5.", 5),
        ("+2", 2),
        ("1e-3", 1e-3),
        ("1E3", 1e3),
        ("0,25", 0.25),
        (",5", 0.5),
        ("−0,5", -0.5),
        ("2e−3", 2e-3),
    ],
)
def test_numbers_are_typed_with_a_point_or_a_comma(blank, text, number):
    assert blank.evaluate("typed", text) == number


@pytest.mark.parametrize(
    "text", ["", " ", "-", ".", "e3", "1e", "nan", "inf", "0x10", "1_000", "1.2.3", "1 2", "1,000.5", "2%"]
)
def test_what_is_no_number_is_none(blank, text):
    assert blank.evaluate("text => Number.isNaN(typed(text))", text)


# --- dark pages ---------------------------------------------------------------------------------------


def contrast(one, other):
    """Return the contrast of two colours, #rrggbb (WCAG 2, 1 to 21)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_words_on_dark_paper_keep_their_contrast(blank):
    words = {ALERT, "#000000", *(style["color"] for style in RULE_STYLES.values())}
    for make in SCENES.values():
        scene = make()
        live = LiveFigure(scene)
        live.draw(scene.still | scene.moving)
        words |= {to_hex(text.get_color()) for text in live.figure.findobj(Text)}
    paper, dark = blank.evaluate("words => [DARK_PAPER, words.map(darkened)]", sorted(words))
    faint = {
        word: shown for word, shown in zip(sorted(words), dark, strict=True) if contrast(shown, paper) < 4.5
    }
    assert len(words) > 12
    assert not faint
