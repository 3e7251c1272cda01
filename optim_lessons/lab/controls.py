"""What a reader moves beside a picture: a control for each knob, from its name, default and a wish."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import NamedTuple

# Where the sliders of a rule's own knobs run; both are logarithmic. What else a picture has, its scene says.
RANGES = {"lr": (1e-4, 10.0), "eps": (1e-12, 1e2)}
# Fine near 1, where 0.99 and 0.999 are worlds apart.
BETAS = (*(i / 20 for i in range(19)), 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995)
BETAS += (0.997, 0.998, 0.999, 0.9995, 0.9998, 0.9999)

NUMBER, WHOLE, CHOICE, SWITCH = "number", "whole", "choice", "switch"


class Knob(NamedTuple):
    """What a scene says of a knob, beside its name.

    default: where it begins.  stops: the ends of its range, as a tuple, or its choices, as a list; empty for
    a rule's own knobs, whose names say it.  log: whether its slider is logarithmic.  still: whether another
    value is another picture, drawn anew.
    """

    default: object
    stops: tuple | list = ()
    log: bool = False
    still: bool = False


@dataclass(frozen=True)
class Control:
    """A knob's control: the values at which it stops, and those that it accepts.

    kind: "number" and "whole" accept what lies between the first and the last stop, "choice" only its stops
    (numbers or texts), "switch" is on or off.
    """

    name: str
    kind: str
    default: object
    stops: tuple

    @property
    def label(self):
        """The knob's name in words."""
        return self.name.replace("_", " ")

    def accept(self, value):
        """Return the value as the picture gets it, or raise: knob, value and what is allowed.

        Raises TypeError for what is of another kind, ValueError for a value that is not allowed.
        """
        value = _plain(value)
        if self.kind == SWITCH:
            if value is True or value is False:
                return value
            raise TypeError(f"{self.name} is {value!r}: it is on or off, True or False")
        if isinstance(self.default, str):
            if value in self.stops:
                return value
            raise ValueError(f"{self.name} is {value!r}: choose one of {', '.join(self.stops)}")
        return self._accept_number(value)

    def _accept_number(self, value):
        low, high = self.stops[0], self.stops[-1]
        if isinstance(value, bool) or not isinstance(value, Real) or value != value:
            raise TypeError(f"{self.name} is {value!r}: give a number from {low:g} to {high:g}")
        if self.kind == CHOICE:
            if value not in self.stops:
                listed = ", ".join(f"{stop:g}" for stop in self.stops)
                raise ValueError(f"{self.name} is {value!r}: choose one of {listed}")
            return self.stops[self.stops.index(value)]
        if not low <= value <= high:
            raise ValueError(f"{self.name} is {value!r}: its slider runs from {low:g} to {high:g}")
        if self.kind == WHOLE and value != int(value):
            raise ValueError(f"{self.name} is {value!r}: give a whole number from {low} to {high}")
        return int(value) if self.kind == WHOLE else float(value)

    def spec(self):
        """Return what the page needs to know of the control."""
        return {
            "name": self.name,
            "label": self.label,
            "kind": self.kind,
            "default": self.default,
            "stops": list(self.stops),
        }


def control(name, default, wish=None, log=False):
    """Return the Control of a knob.

    wish: None, a new default, a range (low, high), a range with a default (low, high, default), or a list of
    choices.  log: whether its slider is logarithmic, whatever its name. Raises ValueError for a range whose
    lower end is not below its upper one.
    """
    default = _plain(default)
    if isinstance(wish, list):
        if not wish:
            raise ValueError(f"{name} has no choices: give a list with at least one")
        wish = [_plain(choice) for choice in wish]
        return Control(name, CHOICE, default if default in wish else wish[0], tuple(wish))
    low, high, default = _range(name, default, wish)
    if isinstance(default, bool):
        return Control(name, SWITCH, default, (False, True))
    if isinstance(default, str):
        return Control(name, CHOICE, default, (default,))
    if not low < high:
        raise ValueError(f"{name} runs from {low} to {high}: give the lower end first")
    low, high = min(low, default), max(high, default)
    if isinstance(default, Integral):
        return Control(name, WHOLE, int(default), tuple(range(int(low), int(high) + 1)))
    if name.startswith("beta") and not isinstance(wish, tuple):
        return Control(name, NUMBER, float(default), tuple(sorted({*BETAS, float(default)})))
    round_numbers = logarithmic_stops if log or name.removesuffix("_rest") in RANGES else even_stops
    between = (stop for stop in round_numbers(low, high) if low < stop < high)
    return Control(
        name, NUMBER, float(default), tuple(sorted({float(low), float(high), float(default), *between}))
    )


def _plain(value):
    """Return a number of NumPy's as one of Python's."""
    return value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value


def _range(name, default, wish):
    """Return low, high and default of a knob."""
    if isinstance(wish, tuple):
        low, high = wish[:2]
        return low, high, wish[2] if len(wish) == 3 else min(max(default, low), high)
    if wish is not None:
        default = wish
    name = name.removesuffix("_rest")  # of by_layer: lr_rest runs where lr does
    if name in RANGES:
        return *RANGES[name], default
    if isinstance(default, Real):
        return min(0, 2 * default), max(1, 2 * default), default
    return 0, 0, default


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
