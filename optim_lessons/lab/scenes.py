"""Pictures with knobs that every lesson uses: a rule on a landscape, and rules racing."""

import functools
import inspect

import numpy as np

from optim_lessons.lab.fair import best_of, last_tenth, settled, stays_inside
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import (
    BANDS,
    HEIGHTS,
    RULE_STYLES,
    floor,
    height_bands,
    height_map,
    inside,
    knob_values,
    loss_axis,
    path_line,
    rule_label,
    rule_style,
    set_loss,
    set_path,
)
from optim_lessons.lab.printed import allowed
from optim_lessons.lab.reading import race_reading, reading
from optim_lessons.lab.tape.javascript import print_ground, print_rule
from optim_lessons.lab.tape.trace import CannotTrace

SHAPES = {"condition": (1.0, 1000.0), "angle": (0, 90)}  # where the sliders of landscapes run
LOGS = frozenset(["condition"])


def walk(rule, landscape):
    """Return the scene of a rule on a landscape: its path from above, and its loss against the step.

    rule: an update rule.  landscape: a Landscape, or a function that returns one; the function's keyword
    defaults become knobs. The rule's own knobs, the start and the number of steps are knobs too.
    """
    make, shape = _factory(landscape)
    first = make(**shape)
    start = {"start_x": float(first.start[0]), "start_y": float(first.start[1])}

    def build(figure):
        above = figure.add_axes((0.075, 0.135, 0.49, 0.77), title=first.name)
        beside = figure.add_axes((0.655, 0.135, 0.32, 0.77))
        ground = height_map(above, first, animated=bool(shape))
        ground.set_gid("ground")
        line = path_line(above, rule, animated=True, gid="path")
        color = rule_style(rule)["color"]
        end = above.plot([], [], "o", color=color, markersize=8, animated=True, gid="end")[0]
        lowest, level = floor(first)
        loss_axis(beside, float(first(first.start)), lowest, log=level)
        _height_label(beside, first)
        beside.xaxis.set(animated=True, gid="steps")
        loss_line = beside.plot([], [], animated=True, gid="losses", **rule_style(rule) | {"marker": ""})[0]
        settings = beside.set_title("", fontsize=10, loc="right", animated=True, gid="settings")
        shown = [shape, first]

        def move(*, start_x, start_y, steps, **knobs):
            chosen = {name: knobs.pop(name) for name in shape}
            if chosen != shown[0]:
                surface = make(**chosen)
                ground.set_data(height_bands(surface))
                shown[:] = chosen, surface
            surface = shown[1]
            ws = path(rule, surface.grad, np.array([start_x, start_y], dtype=float), steps, **knobs)
            losses = surface(ws)
            set_path(line, ws, surface.box)
            end.set_data(ws[-1:, 0], ws[-1:, 1])
            end.set_visible(inside(ws, surface.box) == len(ws))
            set_loss(loss_line, losses, floor(surface)[0])
            _set_steps(beside, steps)
            settings.set_text(knob_values(knobs | chosen))
            return reading(rule_label(rule, first=True), ws, losses, surface)

        return move

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

    ranges = SHAPES | dict(zip(start, first.box, strict=True)) | {"steps": (1, 300)}
    knobs = parts(rule).knobs | shape | start | {"steps": 60}
    return Scene(build, knobs, ranges=ranges, handles=(Handle(0, *start),), formulas=formulas, logs=LOGS)


def race(rules, landscapes, noisy):
    """Return the scene of several rules from one start: their paths on a landscape, their losses.

    rules: dict label → rule.  landscapes: dict name → Landscape.  noisy: a function (grad, noise, seed) that
    returns a noisy gradient; the rule labelled "SGD" gets it, the others the exact one, unless noise_for_all.
    Every rule runs at its `tuned` lr for 100 steps on this landscape, found without noise, SGD's with the
    noise that the knob begins at; the knob lr_scale multiplies them all. noise: relative to the slope at the
    start.
    """
    names = list(landscapes)
    moving = {"lr_scale": 1.0, "noise": 0.05, "noise_for_all": False, "seed": 0, "steps": 100}

    @functools.cache
    def tuned_lrs(landscape):
        surface = landscapes[landscape]
        slope = float(np.linalg.norm(surface.grad(surface.start)))
        shakes = [noisy(surface.grad, moving["noise"] * slope, seed) for seed in range(TUNING_SEEDS)]
        return {
            label: tuned(rule, surface, grads=shakes if label == "SGD" else None).value
            for label, rule in rules.items()
        }

    def build(figure, *, landscape):
        surface, best = landscapes[landscape], tuned_lrs(landscape)
        above = figure.add_axes((0.065, 0.13, 0.43, 0.78), title=surface.name)
        beside = figure.add_axes((0.565, 0.13, 0.245, 0.78), title="loss against step")
        height_map(above, surface).set_gid("ground")
        lowest, level = floor(surface)
        base = lowest if level else 0.0
        loss_axis(beside, float(surface(surface.start)), lowest, log=level)
        _height_label(beside, surface)
        beside.xaxis.set(animated=True, gid="steps")
        slope = float(np.linalg.norm(surface.grad(surface.start)))
        looks = {label: _race_style(label, rule) for label, rule in rules.items()}
        paths = {
            label: path_line(above, rules[label], animated=True, gid=f"path of {label}", **look)
            for label, look in looks.items()
        }
        losses = {
            label: beside.plot(
                [], [], animated=True, label=label, gid=f"losses of {label}", **look | {"marker": ""}
            )[0]
            for label, look in looks.items()
        }
        beside.legend(loc="upper left", bbox_to_anchor=(1.02, 1.02), handlelength=2.6)

        def move(*, lr_scale, noise, noise_for_all, seed, steps):
            ends = {}
            shaken = noisy(surface.grad, noise * slope, seed)
            for label, rule in rules.items():
                grad = shaken if noise_for_all or label == "SGD" else surface.grad
                ws = path(rule, grad, surface.start, steps, lr=lr_scale * best[label])
                heights = surface(ws)
                set_path(paths[label], ws, surface.box)
                set_loss(losses[label], heights, lowest)
                ends[label] = settled(heights) - base if stays_inside(ws, surface.box) else None
            _set_steps(beside, steps)
            return race_reading(ends, steps, len(last_tenth(heights)), measured(surface, level))

        return move

    def formulas(controls, *, landscape):
        surface, best = landscapes[landscape], tuned_lrs(landscape)
        lowest, level = floor(surface)
        slope = float(np.linalg.norm(surface.grad(surface.start)))
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

    ranges = {"landscape": names, "lr_scale": (0.05, 20.0), "noise": (0.0, 3.0)}
    ranges |= {"seed": (0, 20), "steps": (1, 300)}
    still, logs = {"landscape": names[0]}, frozenset(["lr_scale"])
    return Scene(build, moving, still, ranges, size=(10.6, 4.2), formulas=formulas, logs=logs)


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


def _race_style(label, rule):
    style = rule_style(rule)
    return style | RULE_STYLES["sgd"] if label == "SGD" else style


def _height_label(ax, landscape):
    *_, height, unit = landscape.units
    if unit:
        ax.set_ylabel(f"{height} in{unit}")


def _set_steps(ax, steps):
    if ax.get_xlim() != (0, steps):
        ax.set_xlim(0, steps)
        ax.xaxis.stale = True


def _factory(landscape):
    if hasattr(landscape, "grad"):
        return (lambda: landscape), {}
    if not callable(landscape):
        raise TypeError(
            f"the landscape is {landscape!r}: give one such as rosenbrock, or a function such as quadratic"
        )
    defaults = {name: p.default for name, p in inspect.signature(landscape).parameters.items()}
    return landscape, {name: value for name, value in defaults.items() if isinstance(value, int | float)}
