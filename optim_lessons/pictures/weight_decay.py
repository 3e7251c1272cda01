"""The pictures of lesson 10: learning by heart, two kinds of pull, maps of decay, and its rivals."""

from functools import partial

import matplotlib
import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.live import Handle

from optim_lessons.lab.panels import (  # isort: skip
    Axis, Panel, Shown, dots, image, knob, level, line, log, picture, ring, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, Picture, axes_in, counted, rule_label, to_diagnose

from optim_lessons.studies.overfitting import (  # isort: skip
    DECAYS, EPOCHS, LOOKS, LRS, PASSES, PULLED, RIVALS, SHOWN, VARIANTS, along_the_valley, few_digits, learn,
    measured, pulled, results,
)  # fmt: skip
from optim_lessons.weight_decay import adamw

SEEN, UNSEEN = "#b87700", "#0060a8"  # losses on the training images, and on new ones
TRAIN = {"color": SEEN, "linestyle": "--", "linewidth": 2.2}
VALIDATION = {"color": UNSEEN, "linestyle": "-", "linewidth": 2.2}
PALE = "#9aa7b4"
LOST = 1e4  # no training that holds its weights has such a loss


def by_heart():
    """Return the scene of a network that learns few digits by heart, wrong labels and all.

    wrong: the share of wrong labels.  lr: of Adam.
    """

    def show(*, images, wrong, lr):
        few = few_digits(images, wrong)
        return _learned(measured(few, learn(few, lr)))

    knobs = {"images": knob(150, 50, 300), "wrong": knob(0.2, 0.0, 0.4), "lr": knob(0.01, 1e-3, 0.1)}
    return picture(_training("{images} images   wrong {wrong:g}   lr {lr:.3g}"), show, **knobs)


def decayed():
    """Return the scene of the same training with one of the three kinds of decay."""
    few = few_digits()

    def show(*, weight_decay, lr, variant):
        return _learned(measured(few, learn(few, lr, weight_decay, variant)))

    knobs = {"weight_decay": knob(float(DECAYS[15]), [0.0, *DECAYS.tolist()]), "lr": knob(0.01, 1e-3, 0.1)}
    panels = _training("{variant}   {weight_decay:.3g}   lr {lr:.3g}")
    return picture(panels, show, **knobs, variant=knob("decay · lr", VARIANTS))


def _training(title):
    """Return the panels of a training: the losses, and the shares of images that it gets right."""
    epochs = log("epoch", 0.8, PASSES, {k: str(k) for k in (1, 3, 10, 30, 100)})
    beside = Panel((0.075, 0.145, 0.42, 0.755), epochs, ("loss", 0, 3.2), title, legend="upper right")
    side = "share of images", -0.03, 1.35, False, [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    above = Panel((0.57, 0.145, 0.41, 0.755), epochs, side, legend={"loc": "upper left", "ncols": 2})
    cut = {"within": (-1, 9)}
    beside.add(train=line(TRAIN, label="training images", **cut))
    beside.add(validation=line(VALIDATION, label="new images", **cut))
    beside.add(lowest=dots(UNSEEN, fillstyle="none"))
    above.add(accuracy=line(VALIDATION, label="new images: right", **cut))
    above.add(told=line(ALERT, linestyle="--", label="mislabelled: as told", **cut))
    above.add(truth=line("#008060", linestyle=":", label="mislabelled: right", **cut))
    return [beside, above]


def _learned(seen):
    """Return what is shown of a training."""
    looks, losses = np.r_[0.8, LOOKS], seen["validation"]  # the start stands at the left edge
    data = {name: (looks, seen[name]) for name in ("train", "validation", "accuracy", "told", "truth")}
    if not (losses < LOST).all():
        return Shown("The training diverges: its weights are thrown further out in every step.", **data)
    best = int(losses.argmin())
    when = f"after {counted(LOOKS[best - 1], 'epoch')}" if best else "at the start"
    learned = f"{seen['told'][-1]:.0%} of the wrong labels are learned. "
    return Shown(
        f"After {PASSES} epochs: loss {seen['train'][-1]:.2f} on the training images, {losses[-1]:.2f} "
        f"on new ones, which was lowest, {losses[best]:.2f}, {when}. "
        f"{'' if np.isnan(seen['told']).any() else learned}"
        f"Weights are {seen['size'][-1]:.2f} in the root mean square.",
        lowest=(looks[[best]], losses[[best]]),
        **data,
    )


PULLED_STYLES = {  # the widest first, so that three equal lines are seen as three
    "no gradient": {"color": "#222222", "linestyle": ":", "linewidth": 7.0, "alpha": 0.55},
    "gradient of size 1": {"color": "#008060", "linestyle": "--", "linewidth": 4.0},
    "large gradients": {"color": "#d55e00", "linestyle": "-", "linewidth": 1.8},
}


def pulls():
    """Return the scene of three weights under L2 in Adam and under AdamW: none, small and large gradients.

    weight_decay: of both.  large: the size of the large gradients.
    """

    def show(*, lr, weight_decay, large):
        data, said = {}, []
        for rule in (adam, adamw):
            ws = pulled(rule, lr, weight_decay, (0.0, 1.0, large))
            data |= {f"{rule_label(rule)}, {name}": w for name, w in zip(PULLED_STYLES, ws.T, strict=True)}
            said.append(", ".join(str(int(low.argmax())) if low.any() else "not yet" for low in (ws < 0.5).T))
        told = "Steps until half of each weight is gone (no, small, large gradients): with L2 in Adam "
        return Shown(f"{told}{said[0]}; with AdamW {said[1]}.", **data)

    left = Panel((0.065, 0.145, 0.41, 0.755), step(PULLED), ("weight", -0.05, 1.3))
    left.title = "Adam with L2   lr {lr:.3g}   l2 {weight_decay:.3g}"
    right = Panel((0.565, 0.145, 0.41, 0.755), step(PULLED), ("", -0.05, 1.3))
    right.title = "AdamW   lr {lr:.3g}   weight_decay {weight_decay:.3g}   large {large:.3g}"
    for rule, panel in ((adam, left), (adamw, right)):
        panel.legend = {"loc": "upper right", "ncols": 1}
        panel.add(zero=level(PALE, 0, linewidth=1))
        for name, style in PULLED_STYLES.items():
            panel.add(**{f"{rule_label(rule)}, {name}": line(style, label=name, within=(-2, 3))})
    knobs = {"lr": knob(0.01, 1e-3, 0.05), "weight_decay": knob(0.3, 0.02, 2.0)}
    return picture([left, right], show, **knobs, large=knob(10.0, 1.5, 30.0))


CHOICES = [int(e) for e in SHOWN if e]
TOP = 1.3  # losses above look alike


def maps():
    """Return the scene of three maps of the validation loss over lr and decay, and of one pixel's curves.

    variant, lr, decay: of the pixel, which is the mean of five trainings.
    """
    found, names = results(), list(VARIANTS)
    x, y = np.log10(LRS), np.log10(DECAYS)
    half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])

    def show(*, epochs, variant, lr, decay):
        k, v = list(SHOWN).index(epochs), names.index(variant)
        i, j = int(np.abs(LRS - lr).argmin()), int(np.abs(DECAYS - decay).argmin())
        data = {f"ring {v}": ([x[i]], [y[j]]), "now": epochs}
        for a, losses in enumerate(found["validation"][:, k]):
            good, best = along_the_valley(losses)
            data[f"map {a}"] = np.ma.masked_invalid(np.minimum(losses, TOP)).T
            data[f"best {a}"] = x[good], y[best]
        data |= {name: (np.maximum(SHOWN, 0.8), found[name][v, :, i, j]) for name in ("train", "validation")}
        pair = [found[name][v, k, i, j] for name in ("train", "validation")]
        here = f"training loss {pair[0]:.2f}, validation loss {pair[1]:.2f}"
        here = here if np.isfinite(pair).all() else "a run of this pixel diverged"
        lowest = ", ".join(f"{n} {np.nanmin(found['validation'][a, k]):.2f}" for a, n in enumerate(names))
        told = f"The pixel after {counted(epochs, 'epoch')}: {here}. Lowest on each map: {lowest}."
        return Shown(told, **data)

    panels, tens = [], {k: f"{10.0**k:g}" for k in range(-5, 2)}
    shades = {"vmin": 0.6, "vmax": TOP, "cmap": matplotlib.colormaps["cividis"].with_extremes(bad="#f3dcd9")}
    for i, name in enumerate(names):
        lrs = "lr", *extent[:2], False, {k: tens[k] for k in (-3, -2, -1)}
        decays = "" if i else "decay", *extent[2:], False, dict.fromkeys(tens, "") if i else tens
        panel = Panel((0.09 + 0.198 * i, 0.145, 0.175, 0.755), lrs, decays, name)
        panel.add(grid=lambda ax: ax.grid(False), **{f"map {i}": image(extent, **shades)})
        panel.add(**{f"best {i}": dots("white", size=5, markeredgecolor="#222222")})
        panels.append(panel.add(**{f"ring {i}": ring(ALERT, marker="s")}))
    epochs = Axis("epoch", 0.8, EPOCHS, True, {k: str(k) for k in (1, 10, 100)}, minor=True)
    beside = Panel((0.74, 0.145, 0.245, 0.7), epochs, ("loss", 0, 2.8), legend="upper right", size=9.5)
    beside.title = "{variant}   epoch {epochs}\nlr {lr:.3g}   decay {decay:.3g}"
    cut = {"within": (-np.inf, 9)}
    beside.add(train=line(TRAIN, label="training", **cut))
    beside.add(validation=line(VALIDATION, label="validation", **cut))
    panels.append(beside.add(now=upright(ALERT, linestyle=":", linewidth=2)))
    knobs = {"epochs": knob(EPOCHS, CHOICES), "variant": knob(names[1], names)}
    knobs |= {"lr": knob(float(LRS[6]), LRS.tolist()), "decay": knob(float(DECAYS[15]), DECAYS.tolist())}

    def pixel(values):
        return (Handle(names.index(values["variant"]), "lr", "decay", logs=True),)

    return picture(panels, show, figsize=(10.8, 4.2), handles=pixel, **knobs)


def rivals():
    """Return the still picture of the rivals' test losses on six sets of images, and their means."""
    losses = dict(zip(RIVALS, results()["rivals"][..., 0].T, strict=True))
    above = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
    with axes_in((9.6, 3.9), (0.235, 0.15, 0.74, 0.8)) as (figure, ax):
        for row, name in enumerate(RIVALS[::-1]):
            here = losses[name]
            ax.plot(here, np.full(len(here), row), "o", color=PALE, markersize=8)
            ax.plot([here.mean()], [row], "D", color=UNSEEN, markersize=9)
            for part, loss in enumerate(here, 1):
                ax.annotate(str(part), (loss, row), (0, 7), **above)
        ax.set_yticks(range(len(RIVALS)), RIVALS[::-1])
        ax.set_ylim(-0.5, len(RIVALS) - 0.4)
        ax.set_xlabel("test loss (grey: one set of 150 images each; diamond: their mean)")
    said = ", ".join(f"{name} {here.mean():.2f}" for name, here in losses.items())
    return Picture(figure, f"Mean test losses: {said}.")


def four_pictures(runs):
    """Return the still picture of runs to diagnose: their losses above, the size of their weights below.

    runs: letter → {"train": ..., "validation": ..., "size": ...}, one value for each of LOOKS and the start.
    """
    styles = {"train": TRAIN | {"label": "training"}, "validation": VALIDATION | {"label": "validation"}}
    styles |= {"size": {"color": "#222222"}}

    def draw(ax, run, names, top):
        for name in names:
            ax.plot(np.r_[0.8, LOOKS], run[name], **styles[name])
        ax.set(xscale="log", ylim=(0, top))
        ax.set_xticks([1, 10, 100], ["1", "10", "100"])
        ax.minorticks_off()
        if not ax.get_subplotspec().is_first_col():
            ax.set_yticklabels([])
        elif "train" in names:
            ax.legend(loc="lower left", fontsize=9)

    def told(run):
        train, validation, size = (f"{run[name][-1]:.1f}" for name in styles)
        return f"training {train}, validation {validation}, size {size}"

    rows = {"loss": partial(draw, names=("train", "validation"), top=2.7)}
    rows |= {"size of w": partial(draw, names=("size",), top=0.4)}
    layout = {"size": (10.2, 4.6), "adjust": (0.06, 0.13, 0.98, 0.92, 0.2, 0.24 / 0.67), "xlabel": "epoch"}
    heights = {"height_ratios": (0.42, 0.25)}
    return to_diagnose(runs, rows, "At the end:", told, **layout, gridspec_kw=heights)
