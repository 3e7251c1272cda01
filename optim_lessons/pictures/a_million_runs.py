"""The pictures of lesson 13: maps whose every pixel is a training run."""

import time
from functools import cache

import numpy as np
from matplotlib import colormaps

from optim_lessons.adam import adam
from optim_lessons.gradient_descent import gradient_descent
from optim_lessons.lab.fused import gpu
from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import (
    ALERT,
    Picture,
    height_map,
    look,
    new_figure,
    path_line,
    rule_label,
    set_path,
)
from optim_lessons.lab.reading import basins_reading, map_reading
from optim_lessons.lab.scenes import about, floor
from optim_lessons.lab.sweep import final
from optim_lessons.lab.tape.javascript import print_ground, print_rule
from optim_lessons.lab.tape.kernel import print_walk
from optim_lessons.lab.tape.points import trace_step
from optim_lessons.landscapes import himmelblau, quadratic, rosenbrock
from optim_lessons.momentum import momentum
from optim_lessons.nesterov import nesterov
from optim_lessons.rmsprop import rmsprop

RULES = {rule_label(rule): rule for rule in (gradient_descent, momentum, nesterov, rmsprop, adam)}
GROUNDS = {"ravine": quadratic(condition=10.0), "Rosenbrock": rosenbrock, "Himmelblau": himmelblau}
PIXELS = 100  # on each side of a map
GOOD = 1e-3  # a run that ends less than this above the minimum has arrived
MEMORIES, STARTS = np.linspace(0, 0.99, PIXELS), np.linspace(-4, 4, PIXELS)
# lr of the rules whose steps are as long as the gradient; the others' steps are about lr long on any ground.
LR_RANGES = {"ravine": (0.02, 5.0), "Rosenbrock": (1e-4, 1e-2), "Himmelblau": (1e-3, 0.1)}
SCALED_RANGE = (1e-3, 10.0)
SHADES, LOW, HIGH = colormaps["cividis"], -8.0, 3.0  # of the decimal logarithm of a loss
LOST = np.array([255, 255, 255], np.uint8)
STAYS = np.array([0, 60, 110], np.uint8)
BASINS = np.array(
    [[0, 96, 168], [224, 160, 40], [0, 128, 96], [176, 81, 138], [150, 150, 150], [255, 255, 255]]
)
LETTERS = "ABCD"
ENDS = (*LETTERS, "at none", "lost")


def knobs_of(rule, memory):
    """Return the memory of a rule by its own name: beta, beta1, or nothing."""
    names = [name for name in parts(rule).knobs if name in ("beta", "beta1")]
    return dict.fromkeys(names, memory)


def losses_of(rule, landscape, w0, steps, **knobs):
    """Return the final losses above the landscape's floor, NaN where a run ended higher than it began."""
    with np.errstate(all="ignore"):
        before, after = landscape(w0), landscape(final(rule, landscape, w0, steps, **knobs))
        return np.where(after <= before, after, np.nan) - floor(landscape)[0]


def coloured(losses):
    """Return the pixels of a map of losses: dark where the loss is low, white where the run is lost."""
    with np.errstate(all="ignore"):
        height = (np.log10(losses) - LOW) / (HIGH - LOW)
    pixels = SHADES(np.clip(np.nan_to_num(height), 0, 1), bytes=True)[..., :3]
    return np.where(np.isnan(losses)[..., None], LOST, pixels)


PAIRS = {f"{x} and {y}": (x, y) for x, y in (("lr", "memory"), ("lr", "start"), ("start", "memory"))}


def axis(name, rule, landscape):
    """Return the values along one side of a map; landscape: its name.  lr runs on a log axis."""
    if name != "lr":
        return MEMORIES if name == "memory" else STARTS
    return np.geomspace(*(SCALED_RANGE if "eps" in parts(rule).knobs else LR_RANGES[landscape]), PIXELS)


def runs_on(axes, rule, name, lr, memory, start, steps):
    """Return the map of final losses over two axes, shape (rows, columns); the third value holds for all."""
    (across, up), landscape = PAIRS[axes], GROUNDS[name]
    values = {"lr": lr, "memory": memory, "start": start}
    values |= {across: axis(across, rule, name)[None, :, None], up: axis(up, rule, name)[:, None, None]}
    x, y = np.broadcast_arrays(values["start"], landscape.start[1])
    w0 = np.concatenate([x, y], axis=-1) if x.ndim else np.array([x, y])
    knobs = {"lr": values["lr"]} | knobs_of(rule, values["memory"])
    losses = losses_of(rule, landscape, w0, steps, **knobs)
    return np.broadcast_to(losses, (PIXELS, PIXELS))


def run_map():
    """Return the scene of a map of 10,000 runs, and beside it the one run at the cross.

    Knobs: rule, landscape, axes (what the map's sides are), lr, memory (beta, or Adam's beta1), start (its
    first coordinate), steps. Two of lr, memory and start move the cross, the third one the whole map.
    """

    def build(figure, *, rule, landscape, axes):
        chosen, ground = RULES[rule], GROUNDS[landscape]
        left, right = figure.add_axes((0.075, 0.135, 0.4, 0.77)), figure.add_axes((0.63, 0.135, 0.355, 0.77))
        sides = {name: axis(name, chosen, landscape) for name in ("lr", "memory", "start")}
        across, up = PAIRS[axes]
        image = _map_image(left, across, sides[across], up, sides[up])
        _scale(figure, (0.485, 0.135, 0.012, 0.77))
        if landscape == "ravine" and axes == "lr and memory" and chosen in _EDGES:
            left.plot(
                _EDGES[chosen](MEMORIES), MEMORIES, color=ALERT, linewidth=1.2, linestyle="--", animated=True
            )
        plus = {"linestyle": "", "marker": "+", "animated": True}
        cross = left.plot([], [], color="white", markersize=17, markeredgewidth=4, gid="cross", **plus)[0]
        inner = left.plot([], [], color=ALERT, markersize=15, markeredgewidth=2, gid="inner cross", **plus)[0]
        height_map(right, ground).set_gid("ground")
        line = path_line(right, chosen, animated=True, gid="path")
        settings = left.set_title("", fontsize=10, animated=True, gid="settings")
        shown = [None]

        def move(*, lr, memory, start, steps):
            here = {"lr": lr, "memory": memory, "start": start}
            third = ({*here} - {*PAIRS[axes]}).pop()
            key = here[third], steps
            if shown[0] != key:
                shown[:] = [key, runs_on(axes, chosen, landscape, **here, steps=steps)]
                image.set_data(coloured(shown[1]))
            place = {name: np.clip(here[name], *sides[name][[0, -1]]) for name in (across, up)}
            for mark in (cross, inner):
                mark.set_data([place[across]], [place[up]])
            w0 = np.array([here["start"], ground.start[1]])
            ws = path(chosen, ground.grad, w0, steps, lr=here["lr"], **knobs_of(chosen, here["memory"]))
            set_path(line, ws, ground.box)
            its = ", ".join(f"{name} {here[name]:.3g}" for name in (across, up))
            if any(place[name] != here[name] for name in place):
                its += " (beyond the map)"
            settings.set_text(f"all: {third} {here[third]:.3g}, {steps} steps;  cross: {its}")
            with np.errstate(all="ignore"):
                before, after = ground(ws[0]), ground(ws[-1])
            losses = shown[1]
            return map_reading(losses.size, (losses < GOOD).mean(), np.isnan(losses).mean(), before, after)

        return move

    def formulas(controls, *, rule, landscape, axes):
        chosen, ground = RULES[rule], GROUNDS[landscape]
        of = {"lr": "lr", "memory": next(iter(knobs_of(chosen, 0)), None), "start": 0}
        across, up = PAIRS[axes]
        sides = {
            name: {"name": name, "of": of[name], "values": axis(name, chosen, landscape).tolist()}
            for name in of
        }
        return {
            "kind": "map of runs",
            "ground": print_ground(ground),
            "rule": print_rule(chosen),
            "rule_knobs": dict(parts(chosen).knobs),
            "across": sides.pop(across),
            "up": sides.pop(up),
            "third": sides.popitem()[1] | {"values": None},
            "good": GOOD,
            "shades": SHADES(np.arange(SHADES.N), bytes=True)[:, :3].tolist(),
            "low": LOW,
            "high": HIGH,
            "white": LOST.tolist(),
            "words": ["all:", "cross:", "steps;", ",", "(beyond", "the", "map)"],
        } | about(ground)

    still = {"rule": "momentum", "landscape": "ravine", "axes": "lr and memory"}
    moving = {"lr": 1.0, "memory": 0.5, "start": -3.0, "steps": 200}
    ranges = {"rule": list(RULES), "landscape": list(GROUNDS), "axes": list(PAIRS)}
    ranges |= {"lr": (1e-4, 10.0), "memory": (0.0, 0.99), "start": (-4.0, 4.0), "steps": (10, 200)}

    def on_the_map(values):
        return (Handle(0, *PAIRS[values["axes"]]),)

    return Scene(build, moving, still, ranges, size=(10.4, 4.2), handles=on_the_map, formulas=formulas)


# Where a rule's walk on a quadratic with largest curvature 1 begins to diverge.
_EDGES = {
    gradient_descent: lambda beta: np.full_like(beta, 2.0),
    momentum: lambda beta: 2 * (1 + beta),
    nesterov: lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
}


def _map_image(ax, across, xs, up, ys):
    """Prepare an axis for a map; return the image, which takes the colours of all pixels."""
    ax.set(xlabel=across, ylabel=up, xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]))
    ax.set_xscale("log" if across == "lr" else "linear")
    # An image knows no log axis: it is laid over the whole of the axes instead.
    blank = np.full((PIXELS, PIXELS, 3), 255, np.uint8)
    box = {"extent": (0, 1, 0, 1), "transform": ax.transAxes, "aspect": "auto", "origin": "lower"}
    return ax.imshow(blank, animated=True, zorder=0, interpolation="nearest", gid="map", **box)


def _scale(figure, box):
    ax = figure.add_axes(box)
    shades = coloured(10 ** np.linspace(LOW, HIGH, SHADES.N))[:, None]
    # An image, as the map is: on a dark page both keep their colours.
    ax.imshow(shades, extent=(0, 1, LOW, HIGH), aspect="auto", origin="lower")
    powers = range(-8, 3, 2)
    ax.set_yticks(powers, labels=[f"$10^{{{k}}}$" for k in powers])
    ax.yaxis.tick_right()
    ax.set_xticks([])
    ax.set_title("loss", fontsize=9, loc="left")


# ---- basins of attraction -------------------------------------------------------------------------------


def reached(w, landscape=himmelblau, near=0.05):
    """Return which minimum each run stands at: its number; 4 where at none, 5 where lost."""
    distance = np.linalg.norm(w[..., None, :] - landscape.minima, axis=-1)
    lost = ~(np.abs(w).max(axis=-1) < 1e3)
    return np.where(lost, 5, np.where(distance.min(axis=-1) < near, distance.argmin(axis=-1), 4))


def starts(n=PIXELS, box=((-5, 5), (-5, 5))):
    """Return a lattice of starts, shape (n, n, 2)."""
    return np.stack(np.meshgrid(*(np.linspace(*side, n) for side in box)), axis=-1)


def basins():
    """Return the scene of Himmelblau's basins: each pixel a start, its colour the minimum it ends in.

    Knobs: rule, lr, memory, steps.
    """

    def build(figure, *, rule):
        ax = figure.add_axes((0.06, 0.11, 0.5, 0.8))
        ax.set(xlabel="w[0] at the start", ylabel="w[1] at the start")
        image = ax.imshow(
            np.zeros((PIXELS, PIXELS, 3), np.uint8), origin="lower", extent=(-5, 5, -5, 5), aspect="auto",
            animated=True, interpolation="nearest", zorder=0, gid="map",
        )  # fmt: skip
        for letter, minimum in zip(LETTERS, himmelblau.minima, strict=True):
            box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "#333333"}
            ax.text(
                *minimum, letter, ha="center", va="center", fontsize=10, bbox=box, animated=True, zorder=4
            )
        bars = figure.add_axes((0.66, 0.11, 0.32, 0.8))
        widths = bars.barh(ENDS, np.zeros(6), color=BASINS / 255, edgecolor="#333333", animated=True)
        for name, bar in zip(ENDS, widths, strict=True):
            bar.set_gid(f"share of {name}")
        bars.set(xlim=(0, 1), xlabel="share of the starts")
        bars.invert_yaxis()
        settings = ax.set_title("", fontsize=10, animated=True, gid="settings")

        def move(*, lr, memory, steps):
            chosen = RULES[rule]
            ends = reached(final(chosen, himmelblau, starts(), steps, lr=lr, **knobs_of(chosen, memory)))
            image.set_data(BASINS[ends].astype(np.uint8))
            shares = {name: float((ends == k).mean()) for k, name in enumerate(ENDS)}
            for bar, share in zip(widths, shares.values(), strict=True):
                bar.set_width(share)
            settings.set_text(f"{rule}, lr {lr:.3g}, memory {memory:.2g}, {steps} steps")
            return basins_reading(ends.size, shares)

        return move

    def formulas(controls, *, rule):
        chosen, (xs, ys) = RULES[rule], starts().T
        return {
            "kind": "basins",
            "ground": print_ground(himmelblau),
            "rule": print_rule(chosen),
            "rule_knobs": dict(parts(chosen).knobs),
            "memory_of": next(iter(knobs_of(chosen, 0)), None),
            "label": rule,
            "across": {"of": 0, "values": xs[:, 0].tolist()},
            "up": {"of": 1, "values": ys[0].tolist()},
            "names": list(ENDS),
            "shades": BASINS.tolist(),
            "words": [*f"{rule},".split(), "steps", ","],
        } | about(himmelblau)

    ranges = {"rule": list(RULES), "lr": (1e-3, 1.0), "memory": (0.0, 0.99), "steps": (10, 300)}
    moving = {"lr": 0.01, "memory": 0.9, "steps": 200}
    still = {"rule": "gradient descent"}
    return Scene(build, moving, still, ranges, size=(10.0, 4.6), formulas=formulas)


# ---- the edge -------------------------------------------------------------------------------------------

PLACES = {  # name → (rule, landscape, knobs across and up, their ranges, where on the second one we zoom)
    "ravine": (momentum, GROUNDS["ravine"], ("lr", "beta"), ((0.5, 4.5), (0.0, 0.95)), 0.5),
    "Rosenbrock": (momentum, rosenbrock, ("lr", "beta"), ((1e-3, 7e-3), (0.3, 0.95)), 0.75),
    "Himmelblau": (momentum, himmelblau, ("lr", "beta"), ((0.01, 0.035), (0.0, 0.95)), 0.4),
}
EDGE_STEPS, EDGE_PIXELS, FAR = 300, 128, 1e3


def stays(place, across, up, steps=EDGE_STEPS, dtype=float):
    """Return whether runs are still within 1,000 of the origin after so many steps.

    across, up: values of the two knobs, one run for each pair; they broadcast.
    """
    rule, landscape, names, *_ = PLACES[place]
    knobs = {name: np.asarray(x)[..., None] for name, x in zip(names, (across, up), strict=True)}
    w = final(rule, landscape, landscape.start.astype(dtype), steps, **knobs)
    return np.abs(w).max(axis=-1) < FAR


@cache
def on_the_edge(place, steps=EDGE_STEPS):
    """Return a point of the edge, to the last digit: two knobs between a run that stays and one that goes.

    Each round tries 62 values between the two at once, and keeps two neighbours that differ.
    """
    (low, high), y = PLACES[place][3][0], PLACES[place][4]
    for _ in range(10):
        xs = np.linspace(low, high, 64)
        inside = stays(place, xs, np.full_like(xs, y), steps)
        last = int(np.flatnonzero(inside[:-1] & ~inside[1:])[0])
        low, high = xs[last], xs[last + 1]
    return float(low), y


def window(place, zoom):
    """Return the values of both knobs in a window around a point of the edge, 2**zoom times as small."""
    x, y = on_the_edge(place)
    (x0, x1), (y0, y1) = PLACES[place][3]
    side = np.linspace(-0.5, 0.5, EDGE_PIXELS) / 2.0**zoom
    return np.clip(x + (x1 - x0) * side, 0, None), np.clip(y + (y1 - y0) * side, 0, 0.999)


def mixed_boxes(inside, size):
    """Return how many boxes of size × size pixels hold runs of both kinds."""
    rows, columns = (n // size for n in inside.shape)
    boxes = inside[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return int((boxes.any(axis=(1, 3)) & ~boxes.all(axis=(1, 3))).sum())


def edge():
    """Return the scene of a zoom on the edge between runs that stay and runs that go, and its box counts.

    Knobs: place, zoom (each step makes the window half as wide), digits (float64 or float32).
    """
    sizes = 2 ** np.arange(1, 6)

    def build(figure, *, place, digits):
        left, right = figure.add_axes((0.085, 0.13, 0.41, 0.78)), figure.add_axes((0.64, 0.13, 0.345, 0.78))
        left.set_xticks([])
        left.set_yticks([])
        left.set(xlabel="lr", ylabel="beta", xlim=(0, 1), ylim=(0, 1))
        image = left.imshow(
            np.zeros((EDGE_PIXELS, EDGE_PIXELS, 3), np.uint8), origin="lower", extent=(0, 1, 0, 1),
            aspect="auto", animated=True, interpolation="nearest", zorder=0,
        )  # fmt: skip
        right.set(xscale="log", yscale="log", xlim=(1.5, 45), ylim=(0.7, 6000))
        right.set(xlabel="side of a box, in pixels", ylabel="boxes with runs of both kinds")
        right.set_xticks(sizes, [str(n) for n in sizes])
        right.minorticks_off()
        right.plot(sizes, 128 / sizes, ":", color="#777777", linewidth=1.4, label="a smooth curve: slope −1")
        dots = right.plot([], [], "o", color="#0060a8", animated=True, label="counted")[0]
        fit = right.plot([], [], "--", color=ALERT, linewidth=1.4, animated=True, label="fitted")[0]
        right.legend(loc="upper right")
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, zoom):
            xs, ys = window(place, zoom)
            inside = stays(place, xs[None, :], ys[:, None], dtype=np.dtype(digits).type)
            image.set_data(np.where(inside[..., None], STAYS, LOST))
            counts = np.array([mixed_boxes(inside, int(n)) for n in sizes])
            dots.set_data(sizes[counts > 0], counts[counts > 0])
            settings.set_text(f"dark: it stays.  window 2^{zoom} times smaller, {digits}")
            if (counts == 0).any():
                fit.set_data([], [])
                dots.set_data(sizes, np.maximum(counts, 0.7))
                return f"{inside.mean():.0%} of the runs stay; there is hardly an edge in this window."
            slope, level = np.polyfit(np.log(sizes), np.log(counts), 1)
            fit.set_data(sizes, np.exp(level + slope * np.log(sizes)))
            return f"{inside.mean():.0%} of the runs stay. Slope of the box counts: {slope:.1f}."

        return move

    still = {"place": "Himmelblau", "digits": "float64"}
    ranges = {"place": list(PLACES), "digits": ["float64", "float32"], "zoom": (0, 36)}
    return Scene(build, {"zoom": 0}, still, ranges, size=(10.0, 4.4))


def uncertain(place, eps, n=4000, seed=0, steps=EDGE_STEPS):
    """Return how many of n random runs turn out otherwise when a knob moves by eps (of its range).

    eps: a small number.  The points are new ones for each eps, so that counts are independent.
    """
    rng = np.random.default_rng([seed, int(-np.log2(eps))])
    (x0, x1), (y0, y1) = PLACES[place][3]
    x, y = rng.uniform(0.04, 0.96, size=(2, n))
    angle = rng.uniform(0, 2 * np.pi, size=n)
    here = stays(place, x0 + (x1 - x0) * x, y0 + (y1 - y0) * y, steps)
    x, y = x + eps * np.cos(angle), y + eps * np.sin(angle)
    return int((stays(place, x0 + (x1 - x0) * x, y0 + (y1 - y0) * y, steps) != here).sum())


def dimension(eps, counts):
    """Return the edge's dimension and its standard error from the numbers of uncertain runs.

    The share of uncertain runs falls as eps to the power of 2 − dimension; a straight line is fitted to the
    logarithms, each count weighed by its own error (Grebogi and others, 1983).
    """
    eps, counts = np.asarray(eps, float), np.asarray(counts, float)
    seen = counts >= 10
    fit, cov = np.polyfit(np.log(eps[seen]), np.log(counts[seen]), 1, w=np.sqrt(counts[seen]), cov="unscaled")
    return 2 - fit[0], np.sqrt(cov[0, 0])


# ---- what it costs --------------------------------------------------------------------------------------


def _knobs(n, library=np):
    """Return n learning rates and a start for as many runs."""
    lrs = library.geomspace(1e-3, 1, n, dtype=np.float32)[:, None]
    return library.asarray(rosenbrock.start, dtype=np.float32), lrs


def _one_by_one(n):
    w0, lrs = _knobs(n)
    for lr in lrs[:, 0].tolist():
        path(adam, rosenbrock.grad, w0, 200, lr=lr)


def _as_arrays(n):
    w0, lrs = _knobs(n)
    path(adam, rosenbrock.grad, w0, 200, lr=lrs)


def _to_the_end(n):
    w0, lrs = _knobs(n)
    final(adam, rosenbrock, w0, 200, lr=lrs)


def _on_gpu(n):
    import cupy

    w0, lrs = _knobs(n, cupy)
    final(adam, rosenbrock, w0, 200, lr=lrs)
    cupy.cuda.Device().synchronize()


WAYS = {  # how 200 steps of Adam are taken n times → (function of n, the largest n, marker, colour)
    "one run after another": (_one_by_one, 10, "s", "#d55e00"),
    "path: one sweep, all steps kept": (_as_arrays, 3_000, "^", "#b87700"),
    "final: one sweep, the end kept": (_to_the_end, 100_000, "o", "#0060a8"),
    "final on the GPU": (_on_gpu, 3_000_000, "P", "#008060"),
}


def seconds(way, n, rounds=2):
    """Return the least time that n runs take in one of the WAYS, after one call to warm up."""
    run = WAYS[way][0]
    run(n)
    return min(_timed(run, n) for _ in range(rounds))


def _timed(run, n):
    begin = time.perf_counter()
    run(n)
    return time.perf_counter() - begin


def crossover(sizes, slow, fast):
    """Return the first size from which on the second way is always the faster one, or None."""
    faster = [n for n, a, b in zip(sizes, slow, fast, strict=True) if b < a]
    return next((n for n in faster if all(m in faster for m in sizes if m >= n)), None)


def cost():
    """Return the still picture of time against the number of runs, measured on this machine, now."""
    available, name = gpu()
    figure = new_figure((9.6, 4.0))
    measured = {}
    for way, (_, most, *_) in WAYS.items():
        if way == "final on the GPU" and not available:
            continue
        sizes = [n for k in range(7) for n in (10**k, 3 * 10**k) if n <= most]
        measured[way] = dict(zip(sizes, [seconds(way, n) for n in sizes], strict=True))
    with look():
        ax = figure.add_axes((0.08, 0.14, 0.55, 0.74))
        for way, times in measured.items():
            _, _, marker, colour = WAYS[way]
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


def kernel_text(rule, landscape, **knobs):
    """Return the loop that `final` gives to a GPU, in C; in single precision."""
    step = trace_step(rule, landscape.grad, 2, parts(rule).state, knobs)
    return print_walk(step, np.dtype(np.float32))[2]


# ---- other still pictures -------------------------------------------------------------------------------


def maps(pictures, labels, sides=None, said=None):
    """Return the still picture of several maps side by side.

    pictures: title → losses, or true where a run stays.  labels: of the axes.  sides: the axes' ends, if
    they are to be shown.  said: the text beside it; else the share of white pixels in each map.
    """
    figure, width = new_figure((10.4, 3.3) if len(pictures) > 1 else (9.6, 5.4)), 0.93 / len(pictures)
    with look():
        for k, (title, values) in enumerate(pictures.items()):
            ax = figure.add_axes((0.065 + k * width, 0.17, width - 0.045, 0.7), title=title, xlabel=labels[0])
            truths = values.dtype == bool
            pixels = np.where(values[..., None], STAYS, LOST) if truths else coloured(values)
            extent = (0, 1, 0, 1) if sides is None else (*sides[0], *sides[1])
            ax.imshow(pixels, extent=extent, aspect="auto", origin="lower", interpolation="nearest")
            ax.set_ylabel("" if k else labels[1])
            if sides is None:
                ax.set_xticks([])
                ax.set_yticks([])
    white = {title: np.mean(~x if x.dtype == bool else np.isnan(x)) for title, x in pictures.items()}
    words = {title: "less than 1%" if 0 < x < 0.01 else f"{x:.0%}" for title, x in white.items()}
    shares = "; ".join(f"{title}: {share} of the pixels are white" for title, share in words.items())
    return Picture(figure, said or shares + ".")


def uncertain_runs(counts, eps, n):
    """Return the still picture of the share of uncertain runs against eps.  counts: place → numbers."""
    figure = new_figure((9.6, 3.6))
    styles = zip(("o", "^", "s"), ("#0060a8", "#b87700", "#d55e00"), strict=True)
    with look():
        ax = figure.add_axes((0.09, 0.16, 0.55, 0.74))
        for (place, count), (marker, colour) in zip(counts.items(), styles, strict=False):
            d, error = dimension(eps, count)
            share, seen = np.array(count) / n, np.array(count) > 0
            ax.errorbar(
                eps[seen], share[seen], np.sqrt(share[seen] / n), fmt=marker, color=colour, capsize=3,
                label=f"{place}: dimension {d:.2f} ± {2 * error:.2f}",
            )  # fmt: skip
            level = np.average(
                np.log(share[seen]) - (2 - d) * np.log(eps[seen]), weights=np.array(count)[seen]
            )
            ax.plot(eps, np.exp(level) * eps ** (2 - d), "--", color=colour, linewidth=1.2)
        ax.set(xscale="log", yscale="log", ylim=(0.3 / n, 0.3), xlabel="how far a knob moves, of its range")
        ax.set_ylabel("share of runs that turn out otherwise")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
    said = []
    for place, count in counts.items():
        d, error = dimension(eps, count)
        said.append(f"{place} {d - 2 * error:.1f} to {d + 2 * error:.1f}")
    text = "The share of uncertain runs, and lines fitted to it. Dimension of the edge: "
    return Picture(figure, text + "; ".join(said) + ".")


def edge_map(place, dtype=float):
    """Return which runs stay, over the whole range of a place's two knobs, shape (rows, columns)."""
    xs, ys = (np.linspace(*side, EDGE_PIXELS) for side in PLACES[place][3])
    return stays(place, xs[None, :], ys[:, None], dtype=dtype)
