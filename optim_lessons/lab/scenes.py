"""Pictures with knobs that every lesson uses: a rule on a landscape, and rules racing."""

import functools
import inspect

import numpy as np

from optim_lessons.lab.controls import Knob
from optim_lessons.lab.fair import best_of, last_tenth, settled, stays_inside
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Handle
from optim_lessons.lab.panels import Shown, dots, from_above, knob, loss_panel, picture, plain
from optim_lessons.lab.panels import walk as walked
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import (
    BANDS,
    HEIGHTS,
    RULE_STYLES,
    floor,
    inside,
    knob_values,
    rule_label,
    rule_style,
)
from optim_lessons.lab.printed import allowed
from optim_lessons.lab.reading import race_reading, reading
from optim_lessons.lab.tape.javascript import print_ground, print_rule
from optim_lessons.lab.tape.trace import CannotTrace

SHAPES = {"condition": (1.0, 1000.0), "angle": (0, 90)}  # where the sliders of landscapes run
LOGS = frozenset(["condition"])
OUTSIDE = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.02), "handlelength": 2.6}


def walk(rule, landscape):
    """Return the scene of a rule on a landscape: its path from above, and its loss against the step.

    rule: an update rule.  landscape: a Landscape, or a function that returns one; the function's keyword
    defaults become knobs. The rule's own knobs, the start and the number of steps are knobs too.
    """
    make, shape = _factory(landscape)
    make = functools.lru_cache(maxsize=1)(make)
    first = make(**shape)
    start = {"start_x": float(first.start[0]), "start_y": float(first.start[1])}
    above = from_above((0.075, 0.135, 0.49, 0.77), first, first.name, moving=bool(shape), path=walked(rule))
    above.add(end=dots(rule_style(rule)["color"], size=8))
    place = (0.655, 0.135, 0.32, 0.77)
    beside = loss_panel(place, first, "steps", "{settings}", loc="right", losses=plain(rule))

    def show(*, start_x, start_y, steps, **knobs):
        chosen = {name: knobs.pop(name) for name in shape}
        surface = make(**chosen)
        ws = path(rule, surface.grad, np.array([start_x, start_y], dtype=float), steps, **knobs)
        losses, stayed = surface(ws), inside(ws, surface.box) == len(ws)
        lowest = floor(surface)[0] if beside.sides["y"].log else 0.0  # another one for each shape
        return Shown(
            reading(rule_label(rule, first=True), ws, losses, surface),
            ground=surface,
            path=ws,
            end=ws[-1:] if stayed else None,
            losses=losses[np.isfinite(losses)] - lowest,
            settings=knob_values(knobs | chosen),
        )

    def formulas(controls):
        if any(isinstance(x, bool) for x in shape.values()):
            raise CannotTrace("a knob of the landscape is on or off")
        ends = {name: (controls[name].stops[0], controls[name].stops[-1]) for name in shape}
        return {
            "kind": "walk",
            "ground": print_ground(landscape, ends),
            "rule": print_rule(rule),
            "label": rule_label(rule, first=True),
            "settings": [*parts(rule).knobs, *shape],
            "shape": [*shape],
            "allowed": allowed(parts(rule).knobs),
        } | about(first)

    ends = dict(zip(start, first.box, strict=True))
    knobs = parts(rule).knobs | {name: _shape_knob(name, default) for name, default in shape.items()}
    knobs |= {name: knob(at, *ends[name]) for name, at in start.items()} | {"steps": knob(60, 1, 300)}
    return picture([above, beside], show, knobs, handles=(Handle(0, *start),), formulas=formulas)


def race(rules, landscapes, noisy):
    """Return the scene of several rules from one start: their paths on a landscape, their losses.

    rules: dict label → rule.  landscapes: dict name → Landscape.  noisy: a function (grad, noise, seed) that
    returns a noisy gradient; the rule labelled "SGD" gets it, the others the exact one, unless noise_for_all.
    Every rule runs at its `tuned` lr for 100 steps on this landscape, found without noise, SGD's with the
    noise that the knob begins at; the knob lr_scale multiplies them all. noise: relative to the slope at the
    start.
    """
    names, usual_noise = list(landscapes), 0.05
    looks = {label: _race_style(label, rule) for label, rule in rules.items()}

    @functools.cache
    def tuned_lrs(landscape):
        surface = landscapes[landscape]
        slope = _slope(surface)
        shakes = [noisy(surface.grad, usual_noise * slope, seed) for seed in range(TUNING_SEEDS)]
        return {
            label: tuned(rule, surface, grads=shakes if label == "SGD" else None).value
            for label, rule in rules.items()
        }

    def panels(*, landscape):
        surface = landscapes[landscape]
        lowest, _ = floor(surface)
        above = from_above((0.065, 0.13, 0.43, 0.78), surface, surface.name)
        beside = loss_panel((0.565, 0.13, 0.245, 0.78), surface, "steps", "loss against step", legend=OUTSIDE)
        for label, look in looks.items():
            above.add(**{f"path of {label}": walked(look)})
            beside.add(**{f"losses of {label}": plain(look, label=label, above=lowest)})
        return [above, beside]

    def show(*, landscape, lr_scale, noise, noise_for_all, seed, steps):
        surface, best, ends, data = landscapes[landscape], tuned_lrs(landscape), {}, {}
        lowest, level = floor(surface)
        slope = _slope(surface)
        shaken, base = noisy(surface.grad, noise * slope, seed), lowest if level else 0.0
        for label, rule in rules.items():
            grad = shaken if noise_for_all or label == "SGD" else surface.grad
            ws = path(rule, grad, surface.start, steps, lr=lr_scale * best[label])
            heights = surface(ws)
            data |= {f"path of {label}": ws, f"losses of {label}": heights[np.isfinite(heights)]}
            ends[label] = settled(heights) - base if stays_inside(ws, surface.box) else None
        return Shown(race_reading(ends, steps, len(last_tenth(heights)), measured(surface, level)), **data)

    def formulas(controls, *, landscape):
        surface, best = landscapes[landscape], tuned_lrs(landscape)
        lowest, level = floor(surface)
        slope = _slope(surface)
        return {
            "kind": "race",
            "ground": print_ground(surface),
            "rules": [[label, print_rule(rule), dict(parts(rule).knobs)] for label, rule in rules.items()],
            "noisy": "SGD",
            "lrs": best,
            "slope": slope,
            "base": lowest if level else 0.0,
            "measure": measured(surface, level),
        } | about(surface)

    return picture(
        panels,
        show,
        figsize=(10.6, 4.2),
        formulas=formulas,
        landscape=knob(names[0], names, still=True),
        lr_scale=knob(1.0, 0.05, 20.0, log=True),
        noise=knob(usual_noise, 0.0, 3.0),
        noise_for_all=False,
        seed=knob(0, 0, 20),
        steps=knob(100, 1, 300),
    )


def measured(landscape, level):
    """Return what a race is judged by, in words.  level: whether all minima are as low as the lowest."""
    *_, height, unit = landscape.units
    return "loss above the minimum" if level else height + f" in{unit}" * bool(unit)


def about(landscape):
    """Return what a page is to know of a landscape beside its formulas."""
    return {
        "box": landscape.box,
        "units": landscape.units,
        "start": landscape.start.tolist(),
        "minima": landscape.minima.tolist(),
        "lowest": floor(landscape)[0],
        "colours": band_colours(),
    }


def band_colours():
    """Return the colours of a landscape's bands, from the lowest up: red, green, blue of 255."""
    return [[round(255 * x) for x in HEIGHTS(band / (BANDS - 1))[:3]] for band in range(BANDS)]


LRS = np.geomspace(1e-5, 10, 50)
TUNING_SEEDS = 8


def tuned(rule, landscape, steps=100, lrs=LRS, grads=None):
    """Return the `Best` lr of the given ones: the lowest among those whose walks stay on the map.

    A walk is judged by its highest loss in the last tenth of its steps. grads: gradients to walk by, if not
    the landscape's own, such as noisy ones; then the mean over their walks is judged.
    """
    scores = []
    for grad in grads or [landscape.grad]:
        ws = path(rule, grad, landscape.start, steps, lr=np.asarray(lrs)[:, None])
        with np.errstate(all="ignore"):
            worst = settled(landscape(ws))
        scores.append(np.where(stays_inside(ws, landscape.box), worst, np.inf))
    return best_of(np.mean(scores, axis=0), lr=lrs)


def best_lr_of(rule, landscape, steps=100, lrs=LRS):
    """Return the lr that is best without noise, as a number: `tuned`, which also says where it lies."""
    return tuned(rule, landscape, steps, lrs).value


def _slope(landscape):
    """Return how steep a landscape is at its start."""
    return float(np.linalg.norm(landscape.grad(landscape.start)))


def _race_style(label, rule):
    style = rule_style(rule)
    return style | RULE_STYLES["sgd"] if label == "SGD" else style


def _shape_knob(name, default):
    return knob(default, *SHAPES[name], log=name in LOGS) if name in SHAPES else Knob(default)


def _factory(landscape):
    if hasattr(landscape, "grad"):
        return (lambda: landscape), {}
    if not callable(landscape):
        raise TypeError(
            f"the landscape is {landscape!r}: give one such as rosenbrock, or a function such as quadratic"
        )
    defaults = {name: p.default for name, p in inspect.signature(landscape).parameters.items()}
    return landscape, {name: value for name, value in defaults.items() if isinstance(value, int | float)}
