"""The pictures of lesson 13: maps whose every pixel is a training run."""

import numpy as np
from matplotlib import colormaps

from optim_lessons.lab.fused import gpu
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.panels import FREE, Axis, Panel, Shown, dots, image, knob, line, log, picture
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, Picture, axes_in, height_map, path_line, set_path
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

    def build(figure, *, rule, landscape, axes):
        chosen, ground = study.RULES[rule], study.GROUNDS[landscape]
        left, right = figure.add_axes((0.075, 0.135, 0.4, 0.77)), figure.add_axes((0.63, 0.135, 0.355, 0.77))
        sides = {name: study.axis(name, chosen, landscape) for name in ("lr", "memory", "start")}
        across, up = study.PAIRS[axes]
        left.set(xlabel=across, xscale="log" if across == "lr" else "linear", xlim=sides[across][[0, -1]])
        left.set(ylabel=up, ylim=sides[up][[0, -1]])
        pixels = image().make(left, animated=True, gid="map", **PIXEL)
        _scale(figure.add_axes((0.485, 0.135, 0.012, 0.77)))
        if landscape == "ravine" and axes == "lr and memory" and chosen in study.EDGES:
            dashed = {"color": ALERT, "linewidth": 1.2, "linestyle": "--", "animated": True}
            left.plot(study.EDGES[chosen](study.MEMORIES), study.MEMORIES, **dashed)
        plus = {"linestyle": "", "marker": "+", "animated": True}
        cross = left.plot([], [], color="white", markersize=17, markeredgewidth=4, gid="cross", **plus)[0]
        inner = left.plot([], [], color=ALERT, markersize=15, markeredgewidth=2, gid="inner cross", **plus)[0]
        height_map(right, ground).set_gid("ground")
        line = path_line(right, chosen, animated=True, gid="path")
        settings = left.set_title("", fontsize=10, animated=True, gid="settings")
        shown = [None, None]

        def move(*, lr, memory, start, steps):
            here = {"lr": lr, "memory": memory, "start": start}
            third = ({*here} - {*study.PAIRS[axes]}).pop()
            if shown[0] != (here[third], steps):
                shown[:] = (here[third], steps), study.runs_on(axes, chosen, landscape, **here, steps=steps)
                pixels.set_data(coloured(shown[1]))
            place = {name: np.clip(here[name], *sides[name][[0, -1]]) for name in (across, up)}
            for mark in (cross, inner):
                mark.set_data([place[across]], [place[up]])
            w0 = np.array([start, ground.start[1]])
            ws = path(chosen, ground.grad, w0, steps, lr=lr, **study.knobs_of(chosen, memory))
            set_path(line, ws, ground.box)
            its = ", ".join(f"{name} {here[name]:.3g}" for name in (across, up))
            its += " (beyond the map)" * any(place[name] != here[name] for name in place)
            settings.set_text(f"all: {third} {here[third]:.3g}, {steps} steps;  cross: {its}")
            with np.errstate(all="ignore"):
                before, after = ground(ws[0]), ground(ws[-1])
            losses = shown[1]
            return map_reading(losses.size, (losses < GOOD).mean(), np.isnan(losses).mean(), before, after)

        return move

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

    still = {"rule": "momentum", "landscape": "ravine", "axes": "lr and memory"}
    moving = {"lr": 1.0, "memory": 0.5, "start": -3.0, "steps": 200}
    ranges = {"rule": list(study.RULES), "landscape": list(study.GROUNDS), "axes": list(study.PAIRS)}
    ranges |= {"lr": (1e-4, 10.0), "memory": (0.0, 0.99), "start": (-4.0, 4.0), "steps": (10, 200)}

    def on_the_map(values):
        return (Handle(0, *study.PAIRS[values["axes"]]),)

    return Scene(build, moving, still, ranges, size=(10.4, 4.2), handles=on_the_map, formulas=formulas)


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

    def build(figure, *, rule):
        ax, bars = figure.add_axes((0.06, 0.11, 0.5, 0.8)), figure.add_axes((0.66, 0.11, 0.32, 0.8))
        pixels = image((-5, 5, -5, 5)).make(ax, animated=True, gid="map", **PIXEL)
        ax.set(xlabel="w[0] at the start", ylabel="w[1] at the start")
        box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "#333333"}
        middle = {"ha": "center", "va": "center", "fontsize": 10, "animated": True, "zorder": 4}
        for letter, minimum in zip(ENDS, himmelblau.minima, strict=False):
            ax.text(*minimum, letter, bbox=box, **middle)
        widths = bars.barh(ENDS, np.zeros(6), color=BASINS / 255, edgecolor="#333333", animated=True)
        for name, bar in zip(ENDS, widths, strict=True):
            bar.set_gid(f"share of {name}")
        bars.set(xlim=(0, 1), xlabel="share of the starts")
        bars.invert_yaxis()
        settings = ax.set_title("", fontsize=10, animated=True, gid="settings")

        def move(*, lr, memory, steps):
            ends = study.basins(study.RULES[rule], lr, memory, steps)
            pixels.set_data(BASINS[ends].astype(np.uint8))
            shares = {name: float((ends == k).mean()) for k, name in enumerate(ENDS)}
            for bar, share in zip(widths, shares.values(), strict=True):
                bar.set_width(share)
            settings.set_text(f"{rule}, lr {lr:.3g}, memory {memory:.2g}, {steps} steps")
            return basins_reading(ends.size, shares)

        return move

    def formulas(controls, *, rule):
        chosen, (xs, ys) = study.RULES[rule], study.starts().T
        its = {"memory_of": next(iter(study.knobs_of(chosen, 0)), None), "label": rule, "names": list(ENDS)}
        its |= {"across": {"of": 0, "values": xs[:, 0].tolist()}, "up": {"of": 1, "values": ys[0].tolist()}}
        its |= {"shades": BASINS.tolist(), "words": [*f"{rule},".split(), "steps", ","]}
        return _formulas("basins", chosen, himmelblau) | its

    ranges = {"rule": list(study.RULES), "lr": (1e-3, 1.0), "memory": (0.0, 0.99), "steps": (10, 300)}
    moving, still = {"lr": 0.01, "memory": 0.9, "steps": 200}, {"rule": "gradient descent"}
    return Scene(build, moving, still, ranges, size=(10.0, 4.6), formulas=formulas)


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
