"""The pictures of lesson 10: learning by heart, two kinds of pull, maps of decay, and its rivals."""

import numpy as np

from optim_lessons.adam import adam
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.live import Handle, Scene
from optim_lessons.lab.path import path
from optim_lessons.lab.plots import ALERT, Picture, counted, look, new_figure
from optim_lessons.studies.overfitting import (
    DECAYS,
    EPOCHS,
    LOOKS,
    LRS,
    PASSES,
    RIVALS,
    SHOWN,
    VARIANTS,
    few_digits,
    learn,
    measured,
    results,
)
from optim_lessons.weight_decay import adamw

SEEN, UNSEEN = "#b87700", "#0060a8"  # losses on the training images, and on new ones
TRAIN = {"color": SEEN, "linestyle": "--", "linewidth": 2.2}
VALIDATION = {"color": UNSEEN, "linestyle": "-", "linewidth": 2.2}
PALE = "#9aa7b4"
LOST = 1e4  # no training that holds its weights has such a loss


def by_heart():
    """Return the scene of a network that learns few digits by heart, wrong labels and all.

    Knobs: images, wrong (the share of wrong labels) and lr of Adam.
    """

    def build(figure):
        show = _training(figure)

        def move(*, images, wrong, lr):
            few = few_digits(images, wrong)
            seen = measured(few, learn(few, lr))
            return show(seen, f"{images} images   wrong {wrong:g}   lr {lr:.3g}")

        return move

    knobs = {"images": 150, "wrong": 0.2, "lr": 0.01}
    ranges = {"images": (50, 300), "wrong": (0.0, 0.4), "lr": (1e-3, 0.1)}
    return Scene(build, knobs, ranges=ranges)


def decayed():
    """Return the scene of the same training with one of the three kinds of decay.

    Knobs: weight_decay, lr and variant (L2, decay · lr, decay).
    """
    few = few_digits()

    def build(figure):
        show = _training(figure)

        def move(*, weight_decay, lr, variant):
            seen = measured(few, learn(few, lr, weight_decay, variant))
            return show(seen, f"{variant}   {weight_decay:.3g}   lr {lr:.3g}")

        return move

    knobs = {"weight_decay": 1.0, "lr": 0.01, "variant": "decay · lr"}
    ranges = {"weight_decay": [0.0, *DECAYS.tolist()], "lr": (1e-3, 0.1), "variant": list(VARIANTS)}
    return Scene(build, knobs | {"weight_decay": float(DECAYS[15])}, ranges=ranges)


def _training(figure):
    """Draw the axes of a training; return show(seen, title), which fills them and gives the reading."""
    beside = figure.add_axes((0.075, 0.145, 0.42, 0.755))
    above = figure.add_axes((0.57, 0.145, 0.41, 0.755))
    beside.set(xscale="log", xlim=(0.8, PASSES), ylim=(0, 3.2), xlabel="epoch", ylabel="loss")
    above.set(xscale="log", xlim=(0.8, PASSES), ylim=(-0.03, 1.35), xlabel="epoch", ylabel="share of images")
    above.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    looks = np.r_[0.8, LOOKS]  # the start stands at the left edge
    lines = {
        "train": beside.plot([], [], label="training images", animated=True, **TRAIN)[0],
        "validation": beside.plot([], [], label="new images", animated=True, **VALIDATION)[0],
        "accuracy": above.plot([], [], label="new images: right", animated=True, **VALIDATION)[0],
        "told": above.plot([], [], label="mislabelled: as told", animated=True, color=ALERT, linestyle="--")[
            0
        ],
        "truth": above.plot(
            [], [], label="mislabelled: right", animated=True, color="#008060", linestyle=":"
        )[0],
    }
    lowest = beside.plot([], [], "o", color=UNSEEN, markersize=9, fillstyle="none", animated=True)[0]
    for ax in (beside, above):
        ax.legend(loc="upper right" if ax is beside else "upper left", ncols=1 if ax is beside else 2)
        ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        ax.minorticks_off()
    title = beside.set_title("", fontsize=10, animated=True)

    def show(seen, settings):
        for name, line in lines.items():
            line.set_data(looks, np.clip(seen[name], -1, 9))
        title.set_text(settings)
        losses = seen["validation"]
        if not (losses < LOST).all():
            lowest.set_data([], [])
            return "The training diverges: its weights are thrown further out in every step."
        best = int(losses.argmin())
        lowest.set_data(looks[[best]], losses[[best]])
        when = f"after {counted(LOOKS[best - 1], 'epoch')}" if best else "at the start"
        learned = (
            ""
            if np.isnan(seen["told"]).any()
            else f"{seen['told'][-1]:.0%} of the wrong labels are learned. "
        )
        return (
            f"After {PASSES} epochs: loss {seen['train'][-1]:.2f} on the training images, {losses[-1]:.2f} "
            f"on new ones, which was lowest, {losses[best]:.2f}, {when}. {learned}"
            f"Weights are {seen['size'][-1]:.2f} in the root mean square."
        )

    return show


PULLED = 600  # steps of the pull
COPIES = 200  # of each weight: their mean is drawn
PULLED_STYLES = {  # the widest first, so that three equal lines are seen as three
    "no gradient": {"color": "#222222", "linestyle": ":", "linewidth": 7.0, "alpha": 0.55},
    "gradient of size 1": {"color": "#008060", "linestyle": "--", "linewidth": 4.0},
    "large gradients": {"color": "#d55e00", "linestyle": "-", "linewidth": 1.8},
}


def pulled(rule, lr, weight_decay, sizes, steps=PULLED, seed=0):
    """Return the mean path of weights that start at 1 and whose gradients are noise of these sizes.

    rule: adamw, which decays them; or adam, which gets weight_decay·w as a part of the gradient.
    """
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((steps, COPIES // 2, 1)) * np.asarray(sizes)
    z = np.concatenate([z, -z], axis=1)  # each noise and its mirror image: the mean is steadier
    pull = 0.0 if rule is adamw else weight_decay
    knobs = {"weight_decay": weight_decay} if rule is adamw else {}
    ws = path(rule, lambda w, t: z[t] + pull * w, np.ones(z.shape[1:]), steps, lr=lr, eps=1e-12, **knobs)
    return ws.mean(axis=1)


def pulls():
    """Return the scene of three weights under L2 in Adam and under AdamW: none, small and large gradients.

    Knobs: lr, weight_decay (of both) and large, the size of the large gradients.
    """

    def build(figure):
        axes = [figure.add_axes((x, 0.145, 0.41, 0.755)) for x in (0.065, 0.565)]
        lines = []
        for ax in axes:
            ax.set(xlim=(0, PULLED), ylim=(-0.05, 1.3), xlabel="step")
            ax.axhline(0, color=PALE, linewidth=1)
            rows = [
                ax.plot([], [], label=label, animated=True, **style)[0]
                for label, style in PULLED_STYLES.items()
            ]
            ax.legend(loc="upper right", ncols=1)
            lines.append(rows)
        axes[0].set_ylabel("weight")
        titles = [ax.set_title("", fontsize=10, animated=True) for ax in axes]
        t = np.arange(PULLED + 1)

        def move(*, lr, weight_decay, large):
            halves = []
            for rule, rows in zip((adam, adamw), lines, strict=True):
                ws = pulled(rule, lr, weight_decay, (0.0, 1.0, large))
                for line, w in zip(rows, ws.T, strict=True):
                    line.set_data(t, np.clip(w, -2, 3))
                below = ws < 0.5
                halves.append([int(b.argmax()) if b.any() else None for b in below.T])
            titles[0].set_text(f"Adam with L2   lr {lr:.3g}   l2 {weight_decay:.3g}")
            titles[1].set_text(f"AdamW   lr {lr:.3g}   weight_decay {weight_decay:.3g}   large {large:.3g}")
            said = [", ".join("not yet" if h is None else str(h) for h in half) for half in halves]
            return (
                f"Steps until half of each weight is gone (no, small, large gradients): with L2 in Adam "
                f"{said[0]}; "
                f"with AdamW {said[1]}."
            )

        return move

    knobs = {"lr": 0.01, "weight_decay": 0.3, "large": 10.0}
    ranges = {"lr": (1e-3, 0.05), "weight_decay": (0.02, 2.0), "large": (1.5, 30.0)}
    return Scene(build, knobs, ranges=ranges)


def best_decays(variant, epochs=EPOCHS):
    """Return for each lr of the map the decay with the lowest validation loss after so many epochs."""
    losses = results()["validation"][list(VARIANTS).index(variant), list(SHOWN).index(epochs)]
    return np.array([best_of(row, weight_decay=DECAYS).value for row in losses])


CHOICES = [int(e) for e in SHOWN if e]
TOP = 1.3  # losses above look alike


def maps():
    """Return the scene of three maps of the validation loss over lr and decay, and of one pixel's curves.

    Knobs: epochs, and of the pixel: variant, lr and decay. A pixel is the mean of five trainings.
    """
    found = results()
    names = list(VARIANTS)
    x, y = np.log10(LRS), np.log10(DECAYS)
    half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])

    def build(figure):
        images, bests, rings = [], [], []
        for i, name in enumerate(names):
            ax = figure.add_axes((0.09 + 0.198 * i, 0.145, 0.175, 0.755), title=name)
            blank = np.zeros((len(y), len(x)))
            colours = figure_colours()
            images.append(
                ax.imshow(blank, origin="lower", aspect="auto", extent=extent, vmin=0.6, vmax=TOP,
                          cmap=colours, animated=True)
            )  # fmt: skip
            ax.set(xticks=[-3, -2, -1], xlabel="lr")
            ax.set_xticklabels(["0.001", "0.01", "0.1"])
            ax.set_yticks(range(-5, 2), [f"{10.0**k:g}" for k in range(-5, 2)] if not i else [])
            ax.grid(False)
            bests.append(
                ax.plot([], [], "o", color="white", markeredgecolor="#222222", markersize=5, animated=True)[0]
            )
            ring = {"color": ALERT, "fillstyle": "none", "markersize": 11, "markeredgewidth": 2.5}
            rings.append(ax.plot([], [], "s", animated=True, **ring)[0])
        figure.axes[0].set_ylabel("decay")
        beside = figure.add_axes((0.74, 0.145, 0.245, 0.7))
        beside.set(xscale="log", xlim=(0.8, EPOCHS), ylim=(0, 2.8), xlabel="epoch", ylabel="loss")
        beside.set_xticks([1, 10, 100], ["1", "10", "100"])
        curves = [
            beside.plot([], [], label=label, animated=True, **style)[0]
            for label, style in (("training", TRAIN), ("validation", VALIDATION))
        ]
        now = beside.axvline(1, color=ALERT, linestyle=":", linewidth=2, animated=True)
        beside.legend(loc="upper right")
        title = beside.set_title("", fontsize=9.5, animated=True)

        def move(*, epochs, variant, lr, decay):
            k, v = list(SHOWN).index(epochs), names.index(variant)
            i, j = int(np.abs(LRS - lr).argmin()), int(np.abs(DECAYS - decay).argmin())
            for a, image in enumerate(images):
                losses = found["validation"][a, k]
                image.set_data(np.ma.masked_invalid(np.minimum(losses, TOP)).T)
                rows = np.nan_to_num(losses, nan=np.inf)
                good = rows.min(axis=-1) < 1.15 * rows.min()
                bests[a].set_data(x[good], y[rows.argmin(axis=-1)][good])
                rings[a].set_data(*(([x[i]], [y[j]]) if a == v else ([], [])))
            for curve, name in zip(curves, ("train", "validation"), strict=True):
                curve.set_data(np.maximum(SHOWN, 0.8), np.minimum(found[name][v, :, i, j], 9))
            now.set_xdata([epochs, epochs])
            title.set_text(f"{variant}   epoch {epochs}\nlr {lr:.3g}   decay {decay:.3g}")
            pair = [found[name][v, k, i, j] for name in ("train", "validation")]
            here = (
                f"training loss {pair[0]:.2f}, validation loss {pair[1]:.2f}"
                if np.isfinite(pair).all()
                else "a run of this pixel diverged"
            )
            lowest = ", ".join(f"{n} {np.nanmin(found['validation'][a, k]):.2f}" for a, n in enumerate(names))
            return f"The pixel after {counted(epochs, 'epoch')}: {here}. Lowest on each map: {lowest}."

        return move

    still = {}
    moving = {"epochs": EPOCHS, "variant": names[1], "lr": float(LRS[6]), "decay": float(DECAYS[15])}
    ranges = {"epochs": CHOICES, "variant": names, "lr": LRS.tolist(), "decay": DECAYS.tolist()}

    def pixel(values):
        return (Handle(names.index(values["variant"]), "lr", "decay", logs=True),)

    return Scene(build, moving, still, ranges=ranges, size=(10.8, 4.2), handles=pixel)


def figure_colours():
    """Return the colours of the maps, dark where the loss is low; a run that was lost is hatched red."""
    import matplotlib

    return matplotlib.colormaps["cividis"].with_extremes(bad="#f3dcd9")


def rivals():
    """Return the still picture of the rivals' test losses on six sets of images, and their means."""
    losses = results()["rivals"][..., 0]
    figure = new_figure((9.6, 3.9))
    with look():
        ax = figure.add_axes((0.235, 0.15, 0.74, 0.8))
        for row, name in enumerate(RIVALS[::-1]):
            here = losses[:, RIVALS.index(name)]
            ax.plot(here, np.full(len(here), row), "o", color=PALE, markersize=8)
            ax.plot([here.mean()], [row], "D", color=UNSEEN, markersize=9)
            for part, loss in enumerate(here, 1):
                ax.annotate(
                    str(part), (loss, row), (0, 7), textcoords="offset points", ha="center", fontsize=8
                )
        ax.set_yticks(range(len(RIVALS)), RIVALS[::-1])
        ax.set(
            xlabel="test loss (grey: one set of 150 images each; diamond: their mean)",
            ylim=(-0.5, len(RIVALS) - 0.4),
        )
    said = ", ".join(f"{name} {losses[:, i].mean():.2f}" for i, name in enumerate(RIVALS))
    return Picture(figure, f"Mean test losses: {said}.")


def four_pictures(runs):
    """Return the still picture of runs to diagnose: their losses above, the size of their weights below.

    runs: letter → {"train": ..., "validation": ..., "size": ...}, one value for each of LOOKS and the start.
    """
    figure = new_figure((10.2, 4.6))
    with look():
        epochs = np.r_[0.8, LOOKS]
        for i, (letter, run) in enumerate(runs.items()):
            top = figure.add_axes((0.06 + 0.24 * i, 0.5, 0.2, 0.42), title=letter)
            foot = figure.add_axes((0.06 + 0.24 * i, 0.13, 0.2, 0.25))
            top.plot(epochs, run["train"], label="training", **TRAIN)
            top.plot(epochs, run["validation"], label="validation", **VALIDATION)
            foot.plot(epochs, run["size"], color="#222222")
            top.set(xscale="log", ylim=(0, 2.7))
            foot.set(xscale="log", ylim=(0, 0.4), xlabel="epoch")
            for ax in (top, foot):
                ax.set_xticks([1, 10, 100], ["1", "10", "100"])
                ax.minorticks_off()
                if i:
                    ax.set_yticklabels([])
            if not i:
                top.set_ylabel("loss")
                foot.set_ylabel("size of w")
                top.legend(loc="lower left", fontsize=9)
    said = "; ".join(
        f"{letter}: training {run['train'][-1]:.1f}, validation {run['validation'][-1]:.1f}, "
        f"size {run['size'][-1]:.1f}"
        for letter, run in runs.items()
    )
    return Picture(figure, f"At the end: {said}.")
