"""Pictures that are declared: panels with marks, and a function from knobs to what the marks show.

    def show(*, lr, steps):
        return Shown(f"After {steps} steps ...", losses=...)

    loss = Panel(PLACE, step("steps"), log("loss", 1e-6, 1e3), "lr {lr:.3g}", losses=line(adam))
    scene = picture([loss], show, lr=knob(0.1, 1e-3, 1.0, log=True), steps=knob(60, 1, 300))

Done here once for every picture: clipping, floors of log axes, limits that move, hiding what is not shown,
grounds that are kept while they stay the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from optim_lessons.lab.controls import Knob
from optim_lessons.lab.live import Scene
from optim_lessons.lab.plots import (
    Picture,
    floor,
    height_bands,
    height_map,
    inside,
    knob_values,
    look,
    loss_limits,
    new_figure,
    rule_style,
)

KNOBS = "{all_knobs}"  # a title that names the knobs and their values
FREE = (0, np.inf)  # within which a line is drawn that may leave a log axis downwards
ANYWHERE = (-np.inf, np.inf)  # within which a line is drawn that is never cut
FAR = 1e3  # a line is drawn as far as this, or as 20 times its axis: a renderer cannot hold every number


class Shown:
    """What a picture shows for some values of its knobs: a sentence, and the data of each mark by name."""

    def __init__(self, reading, **data):
        self.reading, self.data = reading, data

    def __getitem__(self, name):
        """Return the data of a mark."""
        return self.data[name]


class Axis(NamedTuple):
    """One side of a panel.

    label: what stands beside it.  low, high: numbers, or the name of a knob or of something shown.
    log: whether it is logarithmic.  ticks: places, or place → text.  minor: whether there are small ones
    between these.
    """

    label: str = ""
    low: float | str = 0
    high: float | str = 1
    log: bool = False
    ticks: object = None
    minor: bool = False

    @property
    def moves(self):
        """Whether its ends depend on knobs."""
        return isinstance(self.low, str) or isinstance(self.high, str)


def step(last, label="step"):
    """Return the axis of steps. last: a number, or the name of the knob that says it."""
    return Axis(label, 0, last)


def log(label, low, high, ticks=None):
    """Return a logarithmic axis."""
    return Axis(label, low, high, True, ticks)


class Mark(NamedTuple):
    """Something drawn in a panel.

    make(ax, **options): draws it without data.  put(artist, data): shows them.  value: the data of one that
    stands still.
    """

    make: Callable
    put: Callable
    value: object = None


def line(style, value=None, *, within=None, above=0.0, walk=False, **changes):
    """Return the mark of a line; its data are y, pairs of shape (n, 2), or a tuple (x, y).

    style: a rule, whose look it gets, a colour, or a dict.  within: the ends at which y is cut, where the
    usual ones do not fit.  above: a lowest loss, which a log axis takes off.  walk: a path on a map, which
    ends with its first point outside.
    """
    style = _look(style) | changes

    def put(artist, value):
        if isinstance(value, tuple):
            xy = np.array(np.broadcast_arrays(*(np.asarray(v, float) for v in value)))
        else:
            y = np.array(value, float)  # a copy: what is shown stays as it was computed
            xy = y.T if y.ndim == 2 else np.array([np.arange(len(y)), y])
        if artist.axes.get_yscale() == "log":
            xy[1] -= above
        artist.set_data(*(_reachable(artist.axes, xy, within, walk) if artist.get_animated() else xy))

    return Mark(lambda ax, **options: ax.plot([], [], **style | options)[0], put, value)


def _look(style):
    """Return the look of a rule, or of a colour; what is one already stays it."""
    return rule_style(style) if callable(style) else style if isinstance(style, dict) else {"color": style}


def _reachable(ax, xy, within, walk):
    """Return points near enough to draw."""
    if walk:
        xy = xy[:, : inside(xy.T, (ax.get_xlim(), ax.get_ylim())) + 1]
        xy = xy[:, np.isfinite(xy).all(axis=0)]
    sides = ax.get_xlim(), ax.get_ylim()
    for i, (side, scale) in enumerate(zip(sides, (ax.get_xscale(), ax.get_yscale()), strict=True)):
        low, high = sorted(side)
        beyond = 20 * (high - low)
        ends = (low - beyond, high + beyond) if walk else (min(low - beyond, -FAR), max(high + beyond, FAR))
        if scale == "log":  # what lies below stands at the foot
            ends = (low if i else 0, 1e3 * high)
        np.clip(xy[i], *(within if within and i else ends), out=xy[i])
    return xy


def plain(style, value=None, **changes):
    """Return the mark of a line without markers."""
    return line(style, value, marker="", **changes)


def walk(rule, value=None, **changes):
    """Return the mark of a rule's path on a map: it ends with its first point outside."""
    return line(rule, value, walk=True, **{"markersize": 3.5, "linewidth": 1.4} | changes)


def band(color, value=None, **changes):
    """Return the mark of a theory: a broad pale line, that what was measured lies on."""
    return line(color, value, **{"linewidth": 6, "alpha": 0.35} | changes)


def dots(color, value=None, *, marker="o", size=9, **changes):
    """Return the mark of single points."""
    return line(color, value, linestyle="", marker=marker, markersize=size, **changes)


def ring(color, *, marker="o", width=2.5, within=None):
    """Return the mark of a place that is read."""
    look = {"marker": marker, "markersize": 11, "fillstyle": "none", "markeredgewidth": width}
    return line(color, linestyle="", within=within, **look)


def level(style, value=None, **changes):
    """Return the mark of a line across the panel, at a height."""
    return Mark(
        lambda ax, **options: ax.axhline(1, **_look(style) | changes | options),
        lambda artist, value: artist.set_ydata([value, value]),
        value,
    )


def upright(style, value=None, **changes):
    """Return the mark of a line from the foot to the top of the panel."""
    return Mark(
        lambda ax, **options: ax.axvline(1, **_look(style) | changes | options),
        lambda artist, value: artist.set_xdata([value, value]),
        value,
    )


def stairs(edges, **style):
    """Return the mark of bars side by side between edges; its data are their heights."""
    return Mark(
        lambda ax, **options: ax.stairs(np.zeros(len(edges) - 1), edges, **style | options),
        lambda artist, heights: artist.set_data(heights),
    )


def note(x, y, text, **style):
    """Return the mark of a text; its data, if it moves, are (x, y, text), and x, y and text are None."""
    if text is not None:
        return lambda ax: ax.text(x, y, text, **style)
    return Mark(
        lambda ax, **options: ax.text(0, 0, "", **style | options),
        lambda artist, value: artist.set(**dict(zip(("x", "y", "text"), value, strict=True))),
    )


def many(marks):
    """Return several marks of one kind as one; its data are a sequence with the data of each."""
    marks = list(marks)

    def put(artists, values):
        for mark, artist, value in zip(marks, artists, values, strict=True):
            mark.put(artist, value)

    return Mark(lambda ax, **options: [mark.make(ax, **options) for mark in marks], put)


def ground(landscape, moving=False):
    """Return the mark of a landscape from above. moving: it is another one for other knobs."""

    def make(ax, gid="ground", **options):
        image = height_map(ax, landscape, **options)
        image.set_gid(gid)  # and not its stars'
        image.shown = landscape
        return image

    if not moving:
        return make
    return Mark(make, lambda artist, its: _put_new(artist, its, lambda: height_bands(its)))


def from_above(place, landscape, title="", *, moving=False, **more):
    """Return the Panel of a landscape from above. moving: as for `ground`.  more: as for Panel."""
    return Panel(place, title=title, ground=ground(landscape, moving), **more)


def loss_panel(place, landscape, last, title="", *, decades=12, **more):
    """Return the Panel of losses on a landscape against the step.

    last: the last step, or its knob, or the whole Axis.  decades: how many of them a log axis shows.
    """
    lowest, even = floor(landscape)
    label, *side = loss_limits(float(landscape(landscape.start)), lowest, log=even, decades=decades)
    *_, height, unit = landscape.units
    label = f"{height} in{unit}" if unit else label
    return Panel(place, last if isinstance(last, Axis) else step(last), (label, *side), title, **more)


def image(extent=None, **style):
    """Return the mark of an image; its data are rows of numbers or of colours.

    extent: x0, x1, y0, y1; None: the whole panel, whatever its scales.
    """

    def make(ax, **options):
        box = {"extent": extent} if extent else {"extent": (0, 1, 0, 1), "transform": ax.transAxes}
        return ax.imshow(np.zeros((1, 1)), origin="lower", aspect="auto", **box | style | options)

    return Mark(make, lambda artist, pixels: _put_new(artist, pixels, pixels))


def _put_new(artist, key, pixels):
    """Show pixels, if they are others than those that are shown."""
    if getattr(artist, "shown", None) is not key:
        artist.set_data(pixels() if callable(pixels) else pixels)
        artist.shown = key


class Panel:
    """Axes, and what is drawn in them.

    place: left, bottom, width, height, in shares of the picture.  x, y: each an Axis, or a tuple that makes
    one.  title: it moves if it has fields, such as "lr {lr:.3g}", which are knobs or what is shown.  legend:
    its place, or options of Matplotlib's.  size, loc: of the title.  marks: name → Mark, or a function of the
    axes that draws what stands still. What moves has its name as its gid.
    """

    def __init__(self, place, x=None, y=None, title="", *, legend=None, size=None, loc=None, **marks):
        self.place, self.title, self.size, self.loc, self.marks = place, title, size, loc, marks
        self.sides = {"x": x and Axis(*x), "y": y and Axis(*y)}
        self.legend = {"loc": legend} if isinstance(legend, str) else legend

    def add(self, **marks):
        """Add marks, which are drawn after those that are there; return the panel."""
        for name in marks:
            if name in self.marks:
                raise ValueError(f"there is a mark {name!r} already: each needs a name of its own")
        self.marks |= marks
        return self

    def draw(self, figure):
        """Draw what stands still; return put(data, values), which shows the rest."""
        ax, sides = figure.add_axes(self.place), []
        for name, side in self.sides.items():
            if side is not None:
                sides.append((name, getattr(ax, f"{name}axis"), side))
                _draw_side(ax, *sides[-1])
        artists = []
        for name, mark in self.marks.items():
            if not isinstance(mark, Mark):
                mark(ax)
            elif mark.value is None:
                artists.append((name, mark, mark.make(ax, animated=True, gid=name)))
            else:
                mark.put(mark.make(ax), mark.value)
        if self.legend is not None:
            ax.legend(**self.legend)
        moving = "{" in self.title
        if self.title:
            title = ax.set_title("" if moving else self.title, loc=self.loc, animated=moving)
            title.set_gid(self.title.strip("{}") if moving else None)
            if moving or self.size:
                title.set_fontsize(self.size or 10)

        def put(data, values):
            for name, axis, side in sides:
                _move_side(ax, name, axis, side, values)
            for name, mark, artist in artists:
                for one in artist if isinstance(artist, list) else [artist]:
                    one.set_visible(data.get(name) is not None)
                if data.get(name) is not None:
                    mark.put(artist, data[name])
            if moving:
                title.set_text(self.title.format_map(values))

        return put


def stacked(left, width, last, *sides):
    """Return two Panels of the same steps, one above the other.  sides: y of the upper and of the lower."""
    upper, lower = (
        Panel((left, bottom, width, 0.345), step(last, label), side)
        for bottom, label, side in zip((0.565, 0.125), ("", "step"), sides, strict=True)
    )
    return upper.add(numbers=lambda ax: ax.tick_params(labelbottom=False)), lower


def still(panels, text, figsize=(9.6, 3.4)):
    """Return the still picture of Panels in which nothing moves.  text: what is to be seen in it."""
    figure = new_figure(figsize)
    with look():
        for panel in panels:
            panel.draw(figure)
    return Picture(figure, text)


def _draw_side(ax, name, axis, side):
    ax.set(**{f"{name}scale": "log" if side.log else "linear"})
    if "{" not in side.label:
        axis.set_label_text(side.label)
    if side.moves:
        axis.set(animated=True, gid=side.high)
    else:
        ax.set(**{f"{name}lim": (side.low, side.high)})
    if side.ticks is not None:
        texts = list(side.ticks.values()) if isinstance(side.ticks, dict) else None
        axis.set_ticks(list(side.ticks), texts)
        if not side.minor:
            axis.set_ticks([], minor=True)


def _move_side(ax, name, axis, side, values):
    ends = tuple(values.get(end) if isinstance(end, str) else end for end in (side.low, side.high))
    if not side.moves or None in ends:
        return
    label = side.label.format_map(values)
    if (axis.get_view_interval() != ends).any() or axis.get_label_text() != label:
        ax.set(**{f"{name}lim": ends, f"{name}label": label})
        axis.stale = True


def knob(default, *ends, log=False, still=False):
    """Return a Knob: its default, and the two ends of its range or a list of choices.

    log: its slider is logarithmic.  still: another value is another picture, drawn anew.
    """
    return Knob(default, list(ends[0]) if len(ends) == 1 else ends, log, still)


def picture(
    panels, show, of_rule=None, /, *, figsize=(9.6, 4.0), handles=(), play=None, formulas=None, **knobs
):
    """Return the Scene of a picture.

    panels: a list of Panels, or a function of the still knobs that returns one.  show: a function of all
    knobs that returns what is Shown.  figsize: in inches.  knobs: Knobs, or defaults of a rule's own.
    of_rule: the knobs of a rule, which come first, and may be called like anything here.  Else as for Scene.
    """
    knobs = (of_rule or {}) | knobs
    knobs = {name: one if isinstance(one, Knob) else Knob(one) for name, one in knobs.items()}

    def build(figure, **still):
        drawn = [panel.draw(figure) for panel in (panels(**still) if callable(panels) else panels)]

        def move(**moving):
            every = still | moving
            seen = show(**every)
            values = every | seen.data | {"all_knobs": knob_values(moving)}
            for put in drawn:
                put(seen.data, values)
            return seen.reading

        return move

    def chosen(still):
        return {name: one.default for name, one in knobs.items() if one.still is still}

    return Scene(
        build,
        chosen(False),
        chosen(True),
        {name: one.stops for name, one in knobs.items() if one.stops},
        size=figsize,
        handles=handles,
        play=play,
        formulas=formulas,
        logs=frozenset(name for name, one in knobs.items() if one.log),
        show=show,
    )
