"""The pictures of lesson 12: one instrument panel on one training, whose faults are knobs."""

import functools
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.gridspec import GridSpec

from optim_lessons.lab.panels import FREE, Panel, Shown, knob, line, log, note, picture, step
from optim_lessons.lab.plots import ALERT, Picture, axes_in, columns, look, new_figure
from optim_lessons.studies.broken import CHANCE, EVERY, HEALTHY, STEPS, bench, readings

FIRST, LAST, PALE = "#0060a8", "#b87700", "#b4bec8"
# Where each knob goes: from one end to the other, or through a list of choices.
KNOBS = {
    "lr": (1e-4, 100.0),
    "ends": (0, STEPS),
    "inputs": ([0.01, 0.1, 0.3, 1.0, 2.0, 4.3, 10.0, 30.0, 69.0],),
    "init": ([0.0, 0.01, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0],),
    "depth": (1, 6),
    "activation": (["tanh", "relu"],),
    "clip": (["0.01", "0.1", "0.3", "1", "3", "10", "30", "off"],),
    "shuffled": ([0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0],),
    "decay": ([0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0],),
    "fault": (["none", "hidden sign", "hidden scale", "hidden bias", "output bias"],),
    "rule": (["sgd", "adam"],),
    "seed": (0, 20),
}
AXES = {  # instrument -> title, limits, whether the axis is logarithmic
    "loss": ("loss", (0.01, 100), True),
    "gradient": ("gradient", (1e-4, 1e3), True),
    "ratio": ("step / weights", (1e-5, 10), True),
    "stuck": ("stuck units", (-0.05, 1.05), False),
    "size": ("length of the weights", (0.1, 1e3), True),
}


def drawn(name, seen):
    """Yield the lines of an instrument, x, y and look: what is measured once an epoch has a dot each time.

    What lies beyond a logarithmic axis is drawn on its edge.
    """
    (_, limits, is_log), marker = AXES[name], "" if name in ("gradient", "ratio") else "o"
    for (x, y), colour, dash in zip(readings(seen)[name], (FIRST, LAST), ("-", "--"), strict=False):
        y = np.clip(np.asarray(y, float), *(limits if is_log else (-np.inf, np.inf)))
        yield x, y, {"color": colour, "linestyle": dash, "marker": marker}


def _axis(ax, name, label=""):
    """Draw the axes of an instrument."""
    title, limits, is_log = AXES[name]
    ax.set(xlim=(0, STEPS), ylim=limits, xlabel=label, yscale="log" if is_log else "linear")
    ax.set_title(title, fontsize=10)
    if name in ("loss", "ratio"):
        ax.axhline(CHANCE if name == "loss" else 1e-3, color=ALERT, linestyle=":", linewidth=1.2)


def panel(*knobs, **base):
    """Return the scene of a training with instruments: losses, gradients, steps, and stuck units.

    knobs: names of the bench's knobs that get a slider.  base: what else differs from the healthy run.
    Solid blue: training loss, or the first layer. Dashed amber: validation loss, or the last layer.
    Grey: the healthy run.
    """
    values = {name: (HEALTHY | base)[name] for name in knobs}
    if "clip" in values:
        values["clip"] = "off" if np.isinf(values["clip"]) else f"{values['clip']:g}"
    fixed = {name: value for name, value in base.items() if name not in values}

    def show(**now):
        limit = {"clip": np.inf if now["clip"] == "off" else float(now["clip"])} if "clip" in now else {}
        seen = bench(**fixed | now | limit)
        data = {f"{name} {i}": its for name, pair in readings(seen).items() for i, its in enumerate(pair)}
        settings = "\n".join(f"{name}: {_short(value)}" for name, value in now.items())
        return Shown(in_words(seen), settings=(0, 0.97, settings), **data)

    spec = GridSpec(2, 3, None, 0.065, 0.1, 0.985, 0.93, wspace=0.27, hspace=0.33)
    *places, last = [spec[i].get_position(None).bounds for i in range(6)]
    panels = []
    for place, (name, (_, limits, is_log)) in zip(places, AXES.items(), strict=True):
        label = "" if name in ("loss", "gradient") else "step"
        panels.append(Panel(place, side=functools.partial(_axis, name=name, label=label)))
        for i, (x, y, style) in enumerate(drawn(name, bench())):
            pale = {"linestyle": style["linestyle"], "linewidth": 2.5}
            panels[-1].add(**{f"healthy {i}": line(PALE, (x, y), **pale)})
            style |= {"linewidth": 1.6, "markersize": 3.5}
            panels[-1].add(**{f"{name} {i}": line(style, within=limits if is_log else None)})
    key = Panel(last, ("", 0, 1), ("", 0, 1), off=lambda ax: ax.axis("off"))
    for y, dash, colour, words in (
        (0.38, "-", FIRST, "training loss; first layer"),
        (0.24, "--", LAST, "validation loss; last layer"),
        (0.10, "-", PALE, "the healthy run"),
    ):
        key.add(**{words: line(colour, ([0, 0.16], [y, y]), linestyle=dash, linewidth=2)})
        key.add(**{f"words, {y}": note(0.2, y, words, va="center", fontsize=9.5)})
    key.add(settings=note(None, None, None, va="top", fontsize=10.5, linespacing=1.35))
    knobs = {name: knob(value, *KNOBS.get(name, ())) for name, value in values.items()}
    return picture([*panels, key], show, figsize=(9.6, 5.2), **knobs)


def deep():
    """Return the panel for a deep ReLU network at lr 0.1.  Knobs: depth, init and clip."""
    scene = panel("depth", "init", "clip", depth=6, activation="relu", lr=0.1)
    return replace(scene, ranges=scene.ranges | {"init": [0.3, 0.5, 1.0, 1.5, 2.0, 3.0]})


def _short(value):
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def in_words(seen):
    """Return a run's readings in one or two sentences."""
    start = f"Loss at the start {seen['train'][0]:.3g}. "
    finite = np.flatnonzero(np.isfinite(seen["train"]) & np.isfinite(seen["validation"]))
    if len(finite) < len(seen["t"]):
        return f"{start}The weights left the finite numbers before step {seen['t'][finite[-1] + 1]}."
    usual = np.median(seen["ratio"], axis=0)
    return (
        f"{start}At the end training {seen['train'][-1]:.3g}, validation {seen['validation'][-1]:.3g}, "
        f"{seen['accuracy'][-1]:.0%} right. The usual step moves the first layer by {_size(usual[0])} of its "
        f"length, the last by {_size(usual[-1])}; {seen['stuck'][-1]:.0%} of the hidden units are stuck."
    )


def _size(x):
    return f"{x:.1e}" if np.isfinite(x) and 0 < x < 1e30 else ("nothing" if x == 0 else "far more")


def sheet(runs):
    """Return the still picture of several runs: one column each, one row for each instrument.

    runs: name -> readings of the bench.
    """

    def draw(ax, seen, name):
        for x, y, style in drawn(name, seen):
            y = np.minimum(y, 25) if name == "loss" else y
            alone = np.isfinite(y).sum() == 1
            ax.plot(x, y, linewidth=1.4, markersize=6 if alone else 2.5, **style)
        _axis(ax, name)
        ax.tick_params(labelsize=8)
        ax.set_title("")

    labels = "loss", "gradient", "step/weights", "stuck units", "weights"
    rows = {label: functools.partial(draw, name=name) for label, name in zip(labels, AXES, strict=True)}
    shared = {"sharex": True, "sharey": "row", "height_ratios": (2, 1, 1, 1, 1)}
    figure = columns(runs, rows, (9.6, 9.0), adjust=(0.085, 0.065, 0.99, 0.955, 0.08, 0.09), **shared)
    with look():
        for ax, name in zip(figure.axes, runs, strict=False):
            ax.set_title(name, fontsize=10.5)
    figure.axes[0].set_ylim(0.08, 30)
    first = "; ".join(f"{name} {seen['train'][0]:.3g}" for name, seen in runs.items())
    return Picture(figure, f"The instruments of {len(runs)} runs. Loss at the start: {first}.")


def losses(curves, title):
    """Return the still picture of several runs' losses: training solid, validation dashed.

    curves: label -> readings of the bench.
    """
    looks = zip(("#222222", FIRST, LAST, ALERT, "#008060", "#6a3d9a"), "osD^vX", strict=True)
    with axes_in((9.6, 3.2), (0.075, 0.16, 0.62, 0.74)) as (figure, ax):
        for (label, seen), (colour, mark) in zip(curves.items(), looks, strict=False):
            ax.plot(seen["t"], seen["train"], mark + "-", color=colour, label=label, markersize=5)
            ax.plot(seen["t"], seen["validation"], "--", color=colour, linewidth=1)
        ax.axhline(CHANCE, color=ALERT, linestyle=":", linewidth=1.2)
        ax.set(xlabel="step", ylabel="loss", title=title, xlim=(0, STEPS))
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02))
    ends = "; ".join(f"{label}: {s['train'][0]:.3g} to {s['train'][-1]:.3g}" for label, s in curves.items())
    return Picture(figure, f"Training loss. {ends}.")


LOW, SMALLEST, HIGH = 2.0**-24, 2.0**-14, 65504.0  # float16: smallest, smallest with all digits, largest


def half():
    """Return the scene of a gradient in float16: the sizes of its numbers beside what float16 can hold.

    loss_unit: it multiplies the loss (the lr is divided by it).
    """
    healthy, edges = bench(), np.arange(-60, 41)

    def show(*, loss_scale, loss_unit):
        seen = bench(loss_scale=loss_scale, loss_unit=loss_unit, lr=HEALTHY["lr"] / loss_unit)
        g = healthy["sample"].astype(float) * loss_unit * loss_scale
        sizes = np.abs(g[g != 0])
        told = f"At step {EVERY}, {np.mean(sizes <= LOW / 2):.0%} of the gradient's numbers become 0 and "
        told += f"{np.mean(sizes > HIGH):.0%} become infinity. In float16 the training loss ends at "
        told += f"{seen['train'][-1]:.3g}, in float32 at {healthy['train'][-1]:.3g}."
        counts = edges[:-1] + 0.5, np.histogram(np.log2(sizes), edges)[0]
        return Shown(told, counts=counts, losses=(seen["t"], seen["train"]), power=np.log2(loss_scale))

    sides = ("size of a gradient number, as a power of 2", -60, 40), ("how many of the numbers", 0, 640)
    left = Panel((0.07, 0.135, 0.5, 0.74), *sides, "loss scale 2^{power:.0f}   loss unit {loss_unit:g}")
    for name, low, high, shade in (
        ("all digits", SMALLEST, HIGH, {"color": FIRST, "alpha": 0.12}),
        ("few digits", LOW, SMALLEST, {"color": LAST, "alpha": 0.15}),
    ):
        span = functools.partial(Axes.axvspan, xmin=np.log2(low), xmax=np.log2(high), **shade)
        left.add(**{f"range of {name}": span})
    for x, words in ((-42, "becomes 0"), (-19, "few\ndigits"), (1, "all digits"), (28, "infinity")):
        left.add(**{words: note(x, 625, words, ha="center", va="top", fontsize=9.5)})
    left.add(counts=line(FIRST, drawstyle="steps-mid"))
    right = Panel((0.65, 0.135, 0.33, 0.74), step(STEPS), log("loss", 0.03, 5), legend={"loc": "lower left"})
    right.add(healthy=line(PALE, (healthy["t"], healthy["train"]), linewidth=4, label="in float32"))
    right.add(losses=line(FIRST, marker="o", markersize=4, label="in float16", within=FREE))
    knobs = {"loss_scale": knob(1.0, [2.0**e for e in range(0, 49, 4)])}
    return picture([left, right], show, **knobs, loss_unit=knob(1e-8, [10.0**-e for e in range(0, 13, 2)]))


def examples(X, right, given, shown=12):
    """Return the still picture of some images, each with its label and, below, the label it was given."""
    figure = new_figure((9.6, 1.9))
    with look():
        axes = figure.subplots(1, shown)
        figure.subplots_adjust(0.01, 0.02, 0.99, 0.8, wspace=0.15)
        for ax, image, label, wrong in zip(axes, X, right, given, strict=False):
            ax.imshow(np.reshape(image, (8, 8)), cmap="gray_r")
            ax.set_title(str(label), fontsize=12)
            ax.set_xlabel(str(wrong), fontsize=12, color=ALERT)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
    same = int(np.sum(np.equal(right[:shown], given[:shown])))
    told = f"{shown} digits with their labels; the shuffled labels agree with {same} of them."
    return Picture(figure, told)
