"""The pictures of lesson 13: maps whose every pixel is a training run."""

import functools

import numpy as np
from matplotlib import colormaps

from optim_lessons.lab.fused import gpu
from optim_lessons.lab.kept import kept
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Axis, Mark, Panel, Shown, dots, from_above, image, knob, line, log, picture, walk,
)  # fmt: skip
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, Picture, axes_in
from optim_lessons.lab.reading import basins_reading, map_reading
from optim_lessons.lab.scenes import about
from optim_lessons.lab.tape.javascript import print_ground, print_rule
from optim_lessons.landscapes import himmelblau
from optim_lessons.studies import boundary
from optim_lessons.studies import maps as study
from optim_lessons.studies.sweep_times import WAYS, crossover, seconds

GOOD = 1e-3  # a run that ends less than this above the minimum has arrived
SHADES, LOW, HIGH = colormaps["cividis"], -8.0, 3.0  # of the decimal logarithm of a loss
LOST = np.array([255, 255, 255], np.uint8)
STAYS = np.array([0, 60, 110], np.uint8)
BASINS = np.array(
    [[0, 96, 168], [224, 160, 40], [0, 128, 96], [176, 81, 138], [150, 150, 150], [255, 255, 255]]
)
ENDS = (*"ABCD", "at none", "lost")
PIXEL = {"interpolation": "nearest", "zorder": 0}


def coloured(losses):
    """Return the pixels of a map of losses: dark where the loss is low, white where the run is lost."""
    with np.errstate(all="ignore"):
        height = (np.log10(losses) - LOW) / (HIGH - LOW)
    pixels = SHADES(np.clip(np.nan_to_num(height), 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(losses)[..., None], LOST, pixels)


def run_map():
    """Return the scene of a map of 10,000 runs, and beside it the one run at the cross.

    Knobs: rule, landscape, axes (what the map's sides are), lr, memory (beta, or Adam's beta1), start (its
    first coordinate), steps. Two of lr, memory and start move the cross, the third one the whole map.
    """

    def panels(*, rule, landscape, axes):
        chosen = study.RULES[rule]
        sides = (
            Axis(name, *study.axis(name, chosen, landscape)[[0, -1]], name == "lr")
            for name in study.PAIRS[axes]
        )
        left = Panel((0.075, 0.135, 0.4, 0.77), *sides, "{settings}", map=image(**PIXEL))
        if landscape == "ravine" and axes == "lr and memory" and chosen in study.EDGES:
            dashed = {"color": ALERT, "linewidth": 1.2, "linestyle": "--", "animated": True}
            border = study.EDGES[chosen](study.MEMORIES), study.MEMORIES
            left.add(border=lambda ax: ax.plot(*border, **dashed))
        left.add(cross=dots("white", marker="+", size=17, markeredgewidth=4))
        left.add(**{"inner cross": dots(ALERT, marker="+", size=15, markeredgewidth=2)})
        right = from_above((0.63, 0.135, 0.355, 0.77), study.GROUNDS[landscape], path=walk(chosen))
        return [left, right, Panel((0.485, 0.135, 0.012, 0.77), scale=_scale)]

    def show(*, rule, landscape, axes, steps, **here):
        chosen, ground, (across, up) = study.RULES[rule], study.GROUNDS[landscape], study.PAIRS[axes]
        third = ({*here} - {across, up}).pop()
        losses, pixels = _all_runs(rule, landscape, axes, here[third], steps)
        ends = {name: study.axis(name, chosen, landscape)[[0, -1]] for name in (across, up)}
        place = {name: np.clip(here[name], *ends[name]) for name in (across, up)}
        cross = np.array([list(place.values())])
        w0 = np.array([here["start"], ground.start[1]])
        ws = path(chosen, ground.grad, w0, steps, lr=here["lr"], **study.knobs_of(chosen, here["memory"]))
        its = ", ".join(f"{name} {here[name]:.3g}" for name in (across, up))
        its += " (beyond the map)" * any(place[name] != here[name] for name in place)
        settings = f"all: {third} {here[third]:.3g}, {steps} steps;  cross: {its}"
        with np.errstate(all="ignore"):
            before, after = ground(ws[0]), ground(ws[-1])
        told = map_reading(losses.size, (losses < GOOD).mean(), np.isnan(losses).mean(), before, after)
        data = {"map": pixels, "cross": cross, "inner cross": cross, "path": ws, "settings": settings}
        return Shown(told, **data)

    def formulas(controls, *, rule, landscape, axes):
        chosen, (across, up) = study.RULES[rule], study.PAIRS[axes]
        of = {"lr": "lr", "memory": next(iter(study.knobs_of(chosen, 0)), None), "start": 0}
        sides = {
            name: {"name": name, "of": its, "values": study.axis(name, chosen, landscape).tolist()}
            for name, its in of.items()
        }
        its = {"across": sides.pop(across), "up": sides.pop(up)}
        its |= {"third": sides.popitem()[1] | {"values": None}, "good": GOOD, "low": LOW, "high": HIGH}
        its |= {"shades": SHADES(np.arange(SHADES.N), bytes=True)[:, :3].tolist(), "white": LOST.tolist()}
        its["words"] = ["all:", "cross:", "steps;", ",", "(beyond", "the", "map)"]
        return _formulas("map of runs", chosen, study.GROUNDS[landscape]) | its

    def on_the_map(values):
        return (Handle(0, *study.PAIRS[values["axes"]]),)

    knobs = {"rule": knob("momentum", study.RULES, still=True)}
    knobs |= {"landscape": knob("ravine", study.GROUNDS, still=True)}
    knobs |= {"axes": knob("lr and memory", study.PAIRS, still=True)}
    knobs |= {"lr": knob(1.0, 1e-4, 10.0), "memory": knob(0.5, 0.0, 0.99), "start": knob(-3.0, -4.0, 4.0)}
    knobs |= {"steps": knob(200, 10, 200)}
    return picture(panels, show, figsize=(10.4, 4.2), handles=on_the_map, formulas=formulas, **knobs)


@functools.lru_cache(maxsize=1)
def _all_runs(rule, landscape, axes, third, steps):
    """Return the final losses of a map, and its pixels.  third: the value of what is no side of it."""
    here = dict.fromkeys(("lr", "memory", "start"), third)
    losses = study.runs_on(axes, study.RULES[rule], landscape, **here, steps=steps)
    return kept(losses, coloured(losses))


def _formulas(kind, rule, landscape):
    """Return what a page needs for any map of runs of a rule on a landscape."""
    its = {"kind": kind, "ground": print_ground(landscape), "rule": print_rule(rule)}
    return its | {"rule_knobs": dict(parts(rule).knobs)} | about(landscape)


def _scale(ax):
    """Draw which colour stands for which loss."""
    shades = coloured(10 ** np.linspace(LOW, HIGH, SHADES.N))[:, None]
    # An image, as the map is: on a dark page both keep their colours.
    ax.imshow(shades, extent=(0, 1, LOW, HIGH), aspect="auto", origin="lower")
    powers = range(-8, 3, 2)
    ax.set_yticks(powers, labels=[f"$10^{{{k}}}$" for k in powers])
    ax.yaxis.tick_right()
    ax.set_xticks([])
    ax.set_title("loss", fontsize=9, loc="left")


def basins():
    """Return the scene of Himmelblau's basins: each pixel a start, its colour the minimum it ends in.

    Knobs: rule, lr, memory, steps.
    """

    def panels(*, rule):
        sides = Axis("w[0] at the start", -5, 5), Axis("w[1] at the start", -5, 5)
        left = Panel((0.06, 0.11, 0.5, 0.8), *sides, "{settings}", map=image((-5, 5, -5, 5), **PIXEL))
        right = Panel((0.66, 0.11, 0.32, 0.8), Axis("share of the starts"))
        for name, colour in zip(ENDS, BASINS / 255, strict=True):
            right.add(**{f"share of {name}": _bar(name, colour)})
        return [left.add(names=_names), right.add(downwards=lambda ax: ax.invert_yaxis())]

    def show(*, rule, lr, memory, steps):
        ends = study.basins(study.RULES[rule], lr, memory, steps)
        shares = {name: float((ends == k).mean()) for k, name in enumerate(ENDS)}
        data = {f"share of {name}": share for name, share in shares.items()}
        data |= {"map": BASINS[ends].astype(np.uint8)}
        data |= {"settings": f"{rule}, lr {lr:.3g}, memory {memory:.2g}, {steps} steps"}
        return Shown(basins_reading(ends.size, shares), **data)

    def formulas(controls, *, rule):
        chosen, (xs, ys) = study.RULES[rule], study.starts().T
        its = {"memory_of": next(iter(study.knobs_of(chosen, 0)), None), "label": rule, "names": list(ENDS)}
        its |= {"across": {"of": 0, "values": xs[:, 0].tolist()}, "up": {"of": 1, "values": ys[0].tolist()}}
        its |= {"shades": BASINS.tolist(), "words": [*f"{rule},".split(), "steps", ","]}
        return _formulas("basins", chosen, himmelblau) | its

    knobs = {"rule": knob("gradient descent", study.RULES, still=True), "lr": knob(0.01, 1e-3, 1.0)}
    knobs |= {"memory": knob(0.9, 0.0, 0.99), "steps": knob(200, 10, 300)}
    return picture(panels, show, figsize=(10.0, 4.6), formulas=formulas, **knobs)


def _bar(name, colour):
    """Return the mark of a bar; its data are its length."""
    look = {"color": colour, "edgecolor": "#333333"}
    return Mark(lambda ax, **more: ax.barh([name], [0.0], **look | more)[0], lambda bar, x: bar.set_width(x))


def _names(ax):
    """Write the names of the minima where they lie, above the map."""
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "#333333"}
    middle = {"ha": "center", "va": "center", "fontsize": 10, "animated": True, "zorder": 4}
    for letter, minimum in zip(ENDS, himmelblau.minima, strict=False):
        ax.text(*minimum, letter, bbox=box, **middle)


def edge():
    """Return the scene of a zoom on the edge between runs that stay and runs that go, and its box counts.

    zoom: each step makes the window half as wide.
    """
    sizes = 2 ** np.arange(1, 6)

    def show(*, place, digits, zoom):
        xs, ys = boundary.window(place, zoom)
        inside = boundary.stays(place, xs[None, :], ys[:, None], dtype=np.dtype(digits).type)
        counts = np.array([boundary.mixed_boxes(inside, int(n)) for n in sizes])
        told, pixels = f"{inside.mean():.0%} of the runs stay", np.where(inside[..., None], STAYS, LOST)
        if (counts == 0).any():
            hardly = f"{told}; there is hardly an edge in this window."
            return Shown(hardly, pixels=pixels, counts=(sizes, np.maximum(counts, 0.7)))
        slope, level = np.polyfit(np.log(sizes), np.log(counts), 1)
        data = {"counts": (sizes, counts), "fit": (sizes, np.exp(level + slope * np.log(sizes)))}
        return Shown(f"{told}. Slope of the box counts: {slope:.1f}.", pixels=pixels, **data)

    sides = Axis("lr", ticks=[]), Axis("beta", ticks=[])
    left = Panel((0.085, 0.13, 0.41, 0.78), *sides, pixels=image((0, 1, 0, 1), **PIXEL))
    left.title = "dark: it stays.  window 2^{zoom} times smaller, {digits}"
    sides = [log("side of a box, in pixels", 1.5, 45, {n: str(n) for n in sizes})]
    sides += [log("boxes with runs of both kinds", 0.7, 6000, [1, 10, 100, 1000])]
    right = Panel((0.64, 0.13, 0.345, 0.78), *sides, legend="upper right")
    smooth = {"linestyle": ":", "linewidth": 1.4, "label": "a smooth curve: slope −1"}
    right.add(smooth=line("#777777", (sizes, 128 / sizes), **smooth))
    right.add(counts=dots("#0060a8", size=6, label="counted", within=FREE))
    right.add(fit=line(ALERT, linestyle="--", linewidth=1.4, label="fitted", within=FREE))
    knobs = {"place": knob("Himmelblau", boundary.PLACES, still=True)}
    knobs |= {"digits": knob("float64", ["float64", "float32"], still=True), "zoom": knob(0, 0, 36)}
    return picture([left, right], show, figsize=(10.0, 4.4), **knobs)


LOOKS = dict(zip(WAYS, zip("s^oP", ("#d55e00", "#b87700", "#0060a8", "#008060"), strict=True), strict=True))


def cost():
    """Return the still picture of time against the number of runs, measured on this machine, now."""
    available, name = gpu()
    measured = {}
    for way, (_, most) in WAYS.items():
        if available or way != "final on the GPU":
            sizes = [n for k in range(7) for n in (10**k, 3 * 10**k) if n <= most]
            measured[way] = {n: seconds(way, n) for n in sizes}
    with axes_in((9.6, 4.0), (0.08, 0.14, 0.55, 0.74)) as (figure, ax):
        for way, times in measured.items():
            marker, colour = LOOKS[way]
            ax.plot(list(times), list(times.values()), marker=marker, color=colour, label=way)
        ax.set(xscale="log", yscale="log", xlabel="runs", ylabel="seconds for 200 steps of all runs")
        ax.set_title(_overtakes(measured, name) if available else "no GPU here", fontsize=10)
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    return Picture(figure, "Seconds against the number of runs, on this machine: one run after another is a "
                   "straight line; a sweep is flat at first and then rises.")  # fmt: skip


def _overtakes(measured, name):
    cpu, card = measured["final: one sweep, the end kept"], measured["final on the GPU"]
    sizes = [n for n in cpu if n in card]
    n = crossover(sizes, [cpu[n] for n in sizes], [card[n] for n in sizes])
    return f"{name} is faster from {n:,} runs on" if n else f"{name} is never faster up to {sizes[-1]:,} runs"


def gpu_in_one_line():
    """Say what a GPU does here, or would do."""
    available, name = gpu()
    if available:
        return f"{name}: rule, gradient and all steps are one kernel; the picture shows when it pays."
    return f"No GPU here ({name}). With one, rule, gradient and all steps of a sweep would be one kernel."


def maps(pictures, labels, sides=None, said=None):
    """Return the still picture of several maps side by side.

    pictures: title → losses, or true where a run stays.  labels: of the axes.  sides: the axes' ends, if
    they are to be shown.  said: the text beside it; else the share of white pixels in each map.
    """
    width, shares = 0.93 / len(pictures), []
    places = [(0.065 + k * width, 0.17, width - 0.045, 0.7) for k in range(len(pictures))]
    with axes_in((10.4, 3.3) if len(pictures) > 1 else (9.6, 5.4), *places) as (figure, *axes):
        for ax, (title, values) in zip(axes, pictures.items(), strict=True):
            lost = ~values if values.dtype == bool else np.isnan(values)
            pixels = np.where(lost[..., None], LOST, STAYS) if values.dtype == bool else coloured(values)
            extent = (0, 1, 0, 1) if sides is None else (*sides[0], *sides[1])
            ax.imshow(pixels, extent=extent, aspect="auto", origin="lower", interpolation="nearest")
            ax.set(title=title, xlabel=labels[0], ylabel=labels[1] if ax is axes[0] else "")
            if sides is None:
                ax.set(xticks=[], yticks=[])
            share = "less than 1%" if 0 < lost.mean() < 0.01 else f"{lost.mean():.0%}"
            shares.append(f"{title}: {share} of the pixels are white")
    return Picture(figure, said or "; ".join(shares) + ".")


def uncertain_runs(counts, eps, n):
    """Return the still picture of the share of uncertain runs against eps.  counts: place → numbers."""
    looks, said = zip("o^s", ("#0060a8", "#b87700", "#d55e00"), strict=True), []
    with axes_in((9.6, 3.6), (0.09, 0.16, 0.55, 0.74)) as (figure, ax):
        for (place, count), (marker, colour) in zip(counts.items(), looks, strict=False):
            d, error = boundary.dimension(eps, count)
            count, seen = np.array(count), np.array(count) > 0
            share = count / n
            style = {"fmt": marker, "color": colour, "capsize": 3}
            style["label"] = f"{place}: dimension {d:.2f} ± {2 * error:.2f}"
            ax.errorbar(eps[seen], share[seen], np.sqrt(share[seen] / n), **style)
            level = np.average(np.log(share[seen]) - (2 - d) * np.log(eps[seen]), weights=count[seen])
            ax.plot(eps, np.exp(level) * eps ** (2 - d), "--", color=colour, linewidth=1.2)
            said.append(f"{place} {d - 2 * error:.1f} to {d + 2 * error:.1f}")
        ax.set(xscale="log", yscale="log", ylim=(0.3 / n, 0.3), xlabel="how far a knob moves, of its range")
        ax.set_ylabel("share of runs that turn out otherwise")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    text = "The share of uncertain runs, and lines fitted to it. Dimension of the edge: "
    return Picture(figure, text + "; ".join(said) + ".")
