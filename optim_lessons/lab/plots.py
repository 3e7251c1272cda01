"""Still pictures: one look for every lesson, and one colour and line style per rule.

Functions that draw take the axes first and data ready-made, and return the artists.
"""

import contextlib
import functools
import io
import math
import os
import threading

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from optim_lessons.lab.canvas import FINE, FineCanvas, on_page
from optim_lessons.lab.shipped import shipped

# Okabe and Ito's colours, told apart with any colour vision; line styles carry the same message.
RULE_STYLES = {
    "gradient_descent": {"color": "#222222", "linestyle": "-", "marker": "o"},
    "sgd": {"color": "#777777", "linestyle": ":", "marker": "o"},
    "momentum": {"color": "#d55e00", "linestyle": "--", "marker": "s"},
    "nesterov": {"color": "#b0518a", "linestyle": "-.", "marker": "D"},
    "adagrad": {"color": "#008060", "linestyle": (0, (6, 1.5)), "marker": "^"},
    "rmsprop": {"color": "#b87700", "linestyle": (0, (4, 1, 1, 1)), "marker": "v"},
    "adam": {"color": "#0060a8", "linestyle": "-", "marker": "P"},
    "amsgrad": {"color": "#3c9bd6", "linestyle": "--", "marker": "X"},
    "adamw": {"color": "#4aa3df", "linestyle": (0, (7, 1.5, 1.5, 1.5)), "marker": "*"},
}
PROPER_NAMES = {
    "sgd": "SGD",
    "nesterov": "Nesterov",
    "adagrad": "AdaGrad",
    "rmsprop": "RMSProp",
    "adam": "Adam",
    "amsgrad": "AMSGrad",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "lion": "Lion",
    "shampoo": "Shampoo",
    "muon": "Muon",
    "schedule_free": "Schedule-Free SGD",
    "schedule_free_adam": "Schedule-Free Adam",
}
OWN_STYLE = {"color": "#6a3d9a", "linestyle": "-", "marker": "o"}
ALERT = "#b3261e"
HEIGHTS = LinearSegmentedColormap.from_list("heights", ["#7f9dbb", "#b3c6d8", "#dde6ec", "#fbfaf5"])
BANDS = 18
DPI = 100  # pixels per inch at the usual size
FINE_STILLS = "OPTIM_LESSONS_FINE_STILLS"  # set in the environment, stills take longer and look better
COLOURS = 128  # of a still
_changes = {"figure.dpi": DPI}  # of the look
_card = {"light": False}
_one_at_a_time = threading.RLock()  # Matplotlib's settings are one for all threads


def rule_style(rule, batches=False):
    """Return the colour, line style and marker of a rule (my_adam looks like adam).

    batches: on minibatches, where gradient descent is SGD.
    """
    return dict(RULE_STYLES.get(_name(rule, batches).removeprefix("my_"), OWN_STYLE))


def _name(rule, batches):
    name = getattr(rule, "__name__", "rule")
    return "sgd" if batches and name == "gradient_descent" else name


def rule_label(rule, first=False, batches=False):
    """Return a rule's name as prose writes it: "gradient descent", "RMSProp".

    first: of a sentence.  batches: on minibatches, where gradient descent is SGD.
    """
    name = _name(rule, batches)
    words = [name] if name in PROPER_NAMES else name.split("_")
    label = " ".join(PROPER_NAMES.get(word, word) for word in words)
    return label[:1].upper() + label[1:] if first else label


def knob_values(knobs):
    """Return knobs and their values as a picture's moving title writes them: "lr 0.1   steps 60"."""
    texts = (value if isinstance(value, str | int) else f"{value:.3g}" for value in knobs.values())
    return "   ".join(f"{name} {text}" for name, text in zip(knobs, texts, strict=True))


def counted(number, unit):
    """Return a number of things in words: "1 step", "2 steps".  number: an int, or a text such as "1e+04"."""
    return f"{number} {unit}" if str(number) == "1" else f"{number} {unit}s"


def new_figure(size=(9.6, 4.0)):
    """Return an empty figure that belongs to nobody: it is in no list of open figures."""
    with look():
        figure = Figure(figsize=size, dpi=FINE * matplotlib.rcParams["figure.dpi"])
        FineCanvas(figure)
    return figure


@contextlib.contextmanager
def look():
    """Give the course's Matplotlib style to the figures that are built inside; one thread at a time."""
    with _one_at_a_time, matplotlib.rc_context(_style() | _changes):
        yield


@contextlib.contextmanager
def axes_in(size, *places):
    """Yield a new figure and its axes, which what is drawn inside gives the course's style.

    size: in inches.  places: left, bottom, width, height of each axes, in shares of the figure.
    """
    figure = new_figure(size)
    with look():
        yield figure, *(figure.add_axes(place) for place in places)


@functools.cache
def _style():
    style = matplotlib.rc_params_from_file(
        shipped("assets") / "optim_lessons.mplstyle", use_default_template=False
    )
    return dict(style)


def projector(scale=1.5, light=False):
    """Draw every picture from now on so many times as large: lines, words and sliders alike.

    light: keep pictures on a light card on dark pages too. Cells that have run keep their pictures: run them
    again. projector(1) goes back to the usual size and look.
    """
    if not 0.5 <= scale <= 4:
        raise ValueError(f"scale is {scale}: pictures are drawn from half to four times their usual size")
    _changes["figure.dpi"] = DPI * scale
    _card["light"] = bool(light)


def light_card():
    """Return whether pictures stay on a light card on dark pages, as `projector` was told."""
    return _card["light"]


def height_map(ax, landscape, **options):
    """Draw a landscape from above, darkest where it is lowest, with stars on its minima; return the image."""
    (x0, x1), (y0, y1) = landscape.box
    image = ax.imshow(
        height_bands(landscape), extent=(x0, x1, y0, y1), origin="lower", aspect="auto", zorder=0, **options
    )
    minima = landscape.minima
    if 0 < len(minima) <= 4:
        star = {"color": "white", "markeredgecolor": "#333333", "markersize": 13, "zorder": 1}
        ax.plot(minima[:, 0], minima[:, 1], "*", **star, **options)
    names = (f"w[{i}]{f' in{unit}' * bool(unit)}" for i, unit in enumerate(landscape.units[:2]))
    ax.set(xlim=(x0, x1), ylim=(y0, y1), **dict(zip(("xlabel", "ylabel"), names, strict=True)))
    return image


def height_bands(landscape, points=(320, 260)):
    """Return the colours of a landscape seen from above, shape (rows, columns, 3): bands of equal area."""
    xs, ys = (np.linspace(*side, n) for side, n in zip(landscape.box, points, strict=True))
    heights = landscape(np.stack(np.meshgrid(xs, ys), axis=-1))
    levels = np.quantile(heights[::4, ::4], np.linspace(0, 1, BANDS + 1)[1:-1])
    band = np.searchsorted(levels, heights)
    colours = HEIGHTS(band / (BANDS - 1))[..., :3]
    edge = np.zeros(band.shape, bool)
    edge[:-1] |= band[:-1] != band[1:]
    edge[:, :-1] |= band[:, :-1] != band[:, 1:]
    colours[edge] *= 0.9
    return colours


def floor(landscape):
    """Return the height of a landscape's lowest minimum, and whether all its minima are that low."""
    heights = landscape(landscape.minima)
    return float(heights.min()), bool(np.ptp(heights) < 1e-9)


def inside(ws, box):
    """Return how many points of a path lie in the box before the first one that does not (NaN included)."""
    (x0, x1), (y0, y1) = box
    x, y = ws[..., 0], ws[..., 1]
    good = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    return len(good) if good.all() else int(np.argmin(good))


def loss_limits(start, lowest, log=True, decades=12):
    """Return label, ends, and whether it is logarithmic, of an axis of losses: above the lowest one, if so.

    start: loss at the start.  lowest: loss at the minimum.
    """
    if not log or not start > lowest:
        rise = max(abs(start - lowest), 1e-12)
        return "loss", lowest - 0.1 * rise, start + 0.4 * rise, False
    top = 10.0 ** math.ceil(math.log10(start - lowest) + 1)
    return "loss" if lowest == 0 else "loss − minimum", top * 10.0**-decades, top, True


def roomiest(mask, every=8):
    """Return the index of the point of a mask with most room for a word around it, None if there is none."""
    coarse = np.pad(mask[::every, ::every], 1)
    depth = np.zeros(coarse.shape, int)
    while coarse.any():
        depth += coarse
        # Wide letters: a step to the side counts like one up or down, twice.
        inner = coarse.copy()
        for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1), (1, 2), (1, -2)):
            inner &= np.roll(coarse, shift, axis)
        coarse = inner
    if depth.max() < 2:
        return None
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return (row - 1) * every, (column - 1) * every


def fan(ax, x, runs, middle=np.mean, axis=0, edge=0, **style):
    """Draw the middle of several runs against x, and a pale band from the lowest to the highest of them.

    axis: of the runs.  edge: width of the band's edge, None for the usual one.
    """
    ax.plot(x, middle(runs, axis=axis), **style)
    pale = {"color": style["color"], "alpha": 0.15, "linewidth": edge}
    ax.fill_between(x, runs.min(axis=axis), runs.max(axis=axis), **pale)


def columns(runs, rows, size=(9.6, 4.6), *, adjust, xlabel="step", **shared):
    """Return a figure with a column for each run, under its name, and a row for each thing drawn of it.

    runs: name → run.  rows: what stands beside the row → draw(ax, run).  xlabel: below the last row, where
    draw writes none.  adjust: as for subplots_adjust; else as for subplots.
    """
    figure = new_figure(size)
    with look():
        axes = figure.subplots(len(rows), len(runs), squeeze=False, **shared)
        figure.subplots_adjust(*adjust[:4], **dict(zip(("wspace", "hspace"), adjust[4:], strict=False)))
        for column, (name, run) in zip(axes.T, runs.items(), strict=True):
            for ax, draw in zip(column, rows.values(), strict=True):
                draw(ax, run)
            column[0].set_title(name)
            column[-1].set_xlabel(column[-1].get_xlabel() or xlabel)
        for ax, label in zip(axes[:, 0], rows, strict=True):
            ax.set_ylabel(label)
    return figure


class Picture:
    """A finished figure with its description; a notebook shows the figure, and text where it cannot.

    figure: a Matplotlib figure.  text: one or two sentences that say what is to be seen, with its numbers.
    """

    def __init__(self, figure, text):
        self.figure = figure
        self.text = text

    def _repr_mimebundle_(self, include=None, exclude=None):
        png = figure_png(self.figure)
        return {"image/png": png, "text/plain": self.text}, {"image/png": shown(self.figure, self.text)}


def to_diagnose(runs, rows, first, told, **layout):
    """Return the still picture of `columns` of runs, whose text is first, then told(run) of each.

    runs, rows, layout: as for `columns`.
    """
    each = "; ".join(f"{name}: {told(run)}" for name, run in runs.items())
    return Picture(columns(runs, rows, **layout), f"{first} {each}.")


def shown(figure, text):
    """Return how a page shows a figure's still: its size there, and the text for who cannot see it."""
    width, height = on_page(figure)
    return {"alt": text, "width": round(width), "height": round(height)}


def figure_png(figure, moving=()):
    """Return a figure as a small PNG.

    moving: artists that are drawn last, above all others.
    """
    with _one_at_a_time:  # figures share their pixels
        figure.canvas.draw()
        for artist in moving:
            artist.axes.draw_artist(artist)
        return _canvas_png(figure.canvas)


def _canvas_png(canvas):
    """Return what a canvas shows as a PNG with a palette: a fine one where notebooks are published."""
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    file = io.BytesIO()
    if os.environ.get(FINE_STILLS):
        few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
    else:
        few = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(file, "PNG", compress_level=6)
    return file.getvalue()
