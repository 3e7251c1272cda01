"""Sliders joined to live pictures: one line in a notebook.

explore(adam, rosenbrock)                        # a slider for every knob of the rule, and the start
explore(gradient_descent, quadratic)             # ... and for every knob of the landscape
explore(adam, rosenbrock, lr=0.05, beta1=(0.5, 0.9))
explore(scene)                                   # any picture with knobs
"""

import html
import math

import ipywidgets
import traitlets
from IPython import get_ipython

from optim_lessons.lab.live import LivePicture, Scene
from optim_lessons.lab.plots import DPI
from optim_lessons.lab.scenes import walk

# Where a slider runs if the lesson does not say: knob → (low, high).
RANGES = {
    "lr": (1e-4, 10.0),
    "eps": (1e-12, 1e2),
    "condition": (1.0, 1000.0),
    "angle": (0, 90),
    "steps": (1, 300),
    "noise": (0.0, 3.0),
    "seed": (0, 20),
    "curvature": (0.1, 10.0),
    "lr_scale": (0.05, 20.0),
    "h": (1e-16, 1.0),
    "distance": (1e-15, 1.0),
}
LOGARITHMIC = ("lr", "eps", "condition", "curvature", "lr_scale", "h", "distance")
# The words, the height, the handle and the number beside a slider, in JupyterLab's stylesheet.
SIZES = {"font-size": 13, "inline-height": 28, "slider-handle-size": 16, "inline-width-tiny": 72}
# Fine near 1, where 0.99 and 0.999 are worlds apart.
BETAS = (*(i / 20 for i in range(19)), 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995)
BETAS += (0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999)


def explore(what, landscape=None, /, **knobs):
    """Return sliders over a live picture.

    what: a rule, with a landscape (or a function that returns one, whose keyword defaults become sliders
    too); or a Scene.  knobs: for any slider a new default (lr=0.1), a range (lr=(0.01, 1)), a range and
    default (lr=(0.01, 1, 0.1)) or a list of choices. Raises TypeError for a knob that is not there.
    """
    scene = what if isinstance(what, Scene) else walk(what, landscape)
    return Explorer(scene, knobs)


class Explorer(ipywidgets.VBox):
    """A live picture, its reading in words, and a slider for each of its knobs.

    sliders: knob → slider.  reading: the sentence under the picture.  set(lr=0.1): move sliders from code.
    """

    def __init__(self, scene, knobs):
        defaults = scene.still | scene.moving
        _check_known(knobs, defaults)
        alone = {name: wish for name, wish in knobs.items() if not isinstance(wish, list | tuple)}
        defaults |= alone
        wishes = scene.ranges | knobs
        wishes |= {name: _wish(name, wish, scene.ranges.get(name)) for name, wish in alone.items()}
        self.picture = LivePicture(scene, self._drawn, self._failed)
        scale = self.picture.live.figure.dpi / DPI
        self.sliders = {
            name: _slider(name, default, wishes.get(name), scale) for name, default in defaults.items()
        }
        self.reading = ""
        self._held = False
        self._reading = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="2.8em", margin="0 0 0 8px"))
        self._problem = ipywidgets.HTML()
        for slider in self.sliders.values():
            slider.observe(self._moved, "value")
        box = ipywidgets.Layout(
            display="flex", flex_flow="row wrap", width="100%", max_width=f"{1100 * scale:g}px"
        )
        controls = ipywidgets.Box([*self.sliders.values(), self._problem], layout=box)
        super().__init__([self.picture, self._reading, controls])
        self.add_class("optim-lessons-explorer")
        if scale != 1:
            self._enlarge(scale)
        self._drawn(self.picture.draw(self.values))  # what fails at the start is the caller's to see
        _close_earlier_ones(self)

    def _enlarge(self, scale):
        sizes = "".join(f"--jp-widgets-{name}: {scale * pixels:g}px; " for name, pixels in SIZES.items())
        name = f"optim-lessons-{100 * scale:.0f}"
        self.add_class(name)
        self.children += (ipywidgets.HTML(f"<style>.{name} {{{sizes}}}</style>"),)

    @property
    def problem(self):
        """What kept the newest values from being drawn, as the page shows it; empty if nothing did."""
        return self._problem.value

    @property
    def values(self):
        """The sliders' values: knob → value."""
        return {name: slider.value for name, slider in self.sliders.items()}

    def set(self, **values):
        """Move sliders and draw at once. Raises TypeError for a knob that is not there."""
        _check_known(values, self.sliders)
        self._held = True  # several sliders, one picture
        try:
            for name, value in values.items():
                self.sliders[name].value = value
        finally:
            self._held = False
        self._moved(None)
        self.flush()

    def flush(self):
        """Draw what is still waiting to be drawn, now."""
        self.picture.flush()

    def _moved(self, change):
        if not self._held:
            self.picture.show(self.values)

    def _drawn(self, reading):
        self.reading = reading
        self._reading.value = f'<div role="status">{html.escape(reading)}</div>'
        self._problem.value = ""

    def _failed(self, error):
        message = html.escape(f"{type(error).__name__}: {error}")
        self._problem.value = (
            f'<div role="alert" style="color:#b3261e"><b>This value could not be drawn</b> '
            f"(the picture shows the last one that could). {message}</div>"
        )

    def close_all(self):
        """Take the widgets off every page and free their memory."""
        for widget in (
            *self.sliders.values(),
            self._problem,
            *self.children,
            self,
        ):
            widget.close()

    def _repr_mimebundle_(self, **kwargs):
        self.flush()
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = dict(data or {}) | {"image/png": self.picture.live.png(), "text/plain": self.reading}
        return data, metadata | {"image/png": {"alt": self.reading}}


def _wish(name, default, own):
    """Return a slider's wish for a new default alone: the scene's own range or choices stay."""
    if isinstance(own, tuple):
        return (*own[:2], default)
    if isinstance(own, list):
        if default not in own:
            raise ValueError(f"{name} is {default!r}: choose one of {', '.join(map(str, own))}")
        return own
    return default


def _check_known(names, known):
    for name in names:
        if name not in known:
            raise TypeError(f"this picture has no knob {name!r}; its knobs are {', '.join(known)}")


def _slider(name, default, wish, scale):
    low, high, default, choices = _range(name, default, wish)
    common = {
        "description": name.replace("_", " "),
        "layout": ipywidgets.Layout(width=f"{310 * scale:g}px"),
        "style": {"description_width": f"{90 * scale:g}px"},
    }
    if choices is not None:
        kind = ipywidgets.Dropdown if isinstance(choices[0], str) else ipywidgets.SelectionSlider
        return kind(options=[(_short(value), value) for value in choices], value=default, **common)
    if isinstance(default, bool):
        return ipywidgets.Checkbox(value=default, **common)
    if isinstance(default, int):
        return ipywidgets.IntSlider(default, low, high, **common)
    round_numbers = logarithmic_stops if name in LOGARITHMIC else even_stops
    stops = {low, high, float(default), *(stop for stop in round_numbers(low, high) if low < stop < high)}
    return StopSlider(options=_labelled(stops), value=float(default), **common)


class StopSlider(ipywidgets.SelectionSlider):
    """A slider of numbers that stops at round ones, as the page shows them, and at those that code sets.

    A slider of floats would move the page's value to the nearest multiple of its step, by itself.
    """

    @traitlets.validate("value")
    def _validate_value(self, proposal):
        known = [value for _, value in self.options]
        value = min(max(float(proposal.value), known[0]), known[-1])
        if value not in known:
            self.options = _labelled({*known, value})
        return value


def _labelled(values):
    return [(f"{value:.4g}", value) for value in sorted(values)]


def logarithmic_stops(low, high):
    """Return round numbers around low to high, 2 to 5 per cent apart: 1, 1.05, ... 2, 2.1, ... 5, 5.2.

    Over more than five powers of ten they lie twice as far apart.
    """
    fine = math.log10(high / low) <= 5
    ladder = (
        ((100, 200, 5), (200, 500, 10), (500, 1000, 20))
        if fine
        else ((100, 200, 10), (200, 500, 20), (500, 1000, 50))
    )
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [float(f"{m}e{power - 2}") for power in powers for rung in ladder for m in range(*rung)]


def even_stops(low, high):
    """Return multiples of a power of ten from low to high, 50 to 500 of them."""
    step = 10.0 ** math.floor(math.log10(high - low) - 1.7)
    multiples = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [float(f"{k * step:.12g}") for k in multiples]


def _range(name, default, wish):
    """Return low, high, default and choices of a slider from its name, its default and the lesson's wish."""
    choices = list(wish) if isinstance(wish, list) else None
    low, high = RANGES.get(
        name, (min(0, 2 * default), max(1, 2 * default)) if _is_number(default) else (0, 0)
    )
    if choices is not None:
        default = default if default in choices else choices[0]
    elif isinstance(wish, tuple):
        low, high = wish[:2]
        default = wish[2] if len(wish) == 3 else min(max(default, low), high)
    elif wish is not None:
        default = wish
    if choices is None and name.startswith("beta") and not isinstance(wish, tuple):
        choices = sorted({*BETAS, default})
    if choices is None and _is_number(default):
        if not low < high:
            raise ValueError(f"{name} runs from {low} to {high}: give the lower end first")
        low, high = min(low, default), max(high, default)
    return low, high, default, choices


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value):
    return value if isinstance(value, str) else f"{value:g}"


_open = {}  # cell → (execution count, explorers): a cell that runs again replaces its own


def _close_earlier_ones(explorer):
    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return
    cell = kernel.get_parent().get("metadata", {}).get("cellId")
    if cell is None:
        return
    run, explorers = _open.get(cell, (None, []))
    if run != shell.execution_count:
        for earlier in explorers:
            earlier.close_all()
        explorers = []
    _open[cell] = (shell.execution_count, [*explorers, explorer])
