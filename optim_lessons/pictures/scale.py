"""The pictures of lesson 15: widths, batches, ends of a training, spikes, and numbers with few digits."""

import numpy as np

from optim_lessons.lab.fair import nearest

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Panel, Shown, dots, knob, level, line, log, picture, ring, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, Picture, columns
from optim_lessons.studies import scaling as study

COLOURS = ("#7a4a00", "#b87700", "#3c9bd6", "#0060a8")  # from the narrowest network to the widest
MARKS = "osD^"
PALE = "#9aa7b4"
HIGH = 3.0  # losses above look alike


def _marks(axis, values):
    axis.set_ticks(values, [f"{value:g}" for value in values])
    axis.set_ticks([], minor=True)


def widths():
    """Return the scene of the loss against lr, a line a width, and the best lr against the width.

    factor: the lines are read at so many times the best lr of the narrowest network.
    """

    def show(*, rule, style, factor):
        lrs, losses = study.LRS[rule], study.width_results(rule, style)
        narrow = study.best_lr(study.width_results(rule, "standard")[0], lrs).value
        i, bests = nearest(lrs, factor * narrow), [study.best_lr(row, lrs) for row in losses]
        here = ", ".join(f"{row[i]:.2g}" if row[i] < HIGH else f"above {HIGH:g}" for row in losses)
        data = {"best": (study.WIDTHS, study.best_lrs(rule, style)), "lr": lrs[i]}
        for width, row, its in zip(study.WIDTHS, losses, bests, strict=True):
            data[f"width {width}"] = lrs, np.minimum(np.nan_to_num(row, nan=HIGH), HIGH)
            data[f"best of {width}"] = [lrs[its.index]], [row[its.index]]
        told = f"Widths {', '.join(map(str, study.WIDTHS))}: loss {here} at lr {lrs[i]:.3g}; best lr "
        return Shown(f"{told}{', '.join(f'{its.value:.2g}' for its in bests)}.", **data)

    def panels(rule):
        lrs = study.LRS[rule]
        ticks = {lr: f"$2^{{{np.log2(lr):.0f}}}$" for lr in lrs[::4]}
        sides = log("lr", lrs[0], lrs[-1], ticks), log("training loss at the end", 0.015, HIGH)
        left = Panel((0.07, 0.145, 0.5, 0.75), *sides, legend={"loc": "lower left", "ncols": 2})
        left.title = "{rule}, {style}   factor {factor:.3g}: lr {lr:.3g}"
        for width, colour, mark in zip(study.WIDTHS, COLOURS, MARKS, strict=True):
            look, name = {"color": colour, "marker": mark}, f"width {width}"
            left.add(**{name: line(look, label=name, markersize=3.5, linewidth=1.5, within=FREE)})
            left.add(**{f"best of {width}": line(look, linestyle="", markersize=10, within=FREE)})
        left.add(lr=upright(ALERT, linestyle=":", linewidth=2))
        sides = [log("width", 26, 320, {w: f"{w:g}" for w in study.WIDTHS})]
        sides += [log("best lr", lrs[0], lrs[-1], ticks)]
        right = Panel((0.66, 0.145, 0.325, 0.75), *sides, legend="lower left")
        for name, dash in zip(study.STYLES, ("--", "-"), strict=True):
            pale = {"linestyle": dash, "linewidth": 4, "label": name}
            right.add(**{name: line(PALE, (study.WIDTHS, study.best_lrs(rule, name)), **pale)})
        return [left, right.add(best=dots("#222222", size=7, within=FREE))]

    factors = (2.0 ** np.arange(-4.5, 2.6, 0.5)).tolist()  # with each of them every rule was tried
    knobs = {"rule": knob("Adam", study.LRS, still=True), "style": knob("standard", study.STYLES)}
    return picture(panels, show, **knobs, factor=knob(1.0, factors))


TICKS = {"SGD": (0.1, 0.2, 0.5, 1), "Adam": (4, 8, 16, 32), "Muon": (0.5, 0.7, 1, 1.5)}


def effects(lr=0.01):
    """Return the still picture of what the first step changes in each layer's output, against the width."""
    said = []

    def draw(ax, rule):
        for style, dash in zip(study.STYLES, ("--", "-"), strict=True):
            its = study.changes(rule, style, lr).T
            for layer, colour, mark, y in zip(study.LAYERS, COLOURS[::-1], MARKS, its, strict=False):
                look = {"linestyle": dash, "color": colour, "marker": mark, "markersize": 5}
                ax.plot(study.WIDTHS, y, label=f"{layer}, {style}", **look)
        ax.set(xscale="log", yscale="log")
        _marks(ax.xaxis, study.WIDTHS)
        _marks(ax.yaxis, TICKS[rule])
        grown = study.changes(rule, "standard", lr)
        said.append(f"{rule} " + ", ".join(f"{g:.1f}" for g in grown[-1] / grown[0]))
        if rule == "Muon":
            ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=9, handlelength=3.2)

    rows, adjust = {"change of a layer's output / lr": draw}, (0.065, 0.17, 0.82, 0.88, 0.28)
    figure = columns({rule: rule for rule in study.LRS}, rows, (9.6, 3.3), adjust=adjust, xlabel="width")
    told = "From width 32 to 256, standard, the first, hidden and last layer's change grows by: "
    return Picture(figure, f"{told}{'; '.join(said)}.")


BEYOND = 1.4640856959456254, 1398.825222916503  # a twentieth of the way between 2 and 1,024 on either side


def batches():
    """Return the scene of steps, examples and best lr against the batch.

    goal: a training loss.  batch: at which steps are read and drawn against lr.
    """
    sizes = np.array(study.BATCHES)

    def show(*, rule, goal, batch):
        lrs, i, (steps, best) = study.BATCH_LRS[rule], nearest(sizes, batch), study.best_steps(rule, goal)
        row, (least, critical) = study.batch_results(rule, goal)[i], study.critical_batch(sizes, steps)
        k = study.best_lr(row, lrs).index
        told = f"Batch {sizes[i]}: {steps[i]:.0f} steps, {steps[i] * sizes[i]:,.0f} examples at lr "
        told += f"{best[i]:.2g}. Fitted: at least {least:.1f} steps, critical batch {critical:.0f}."
        data = {"ring0": ([sizes[i]], [steps[i]]), "ring1": ([sizes[i]], [best[i]])}
        data |= {"ring2": ([lrs[k]], [row[k]]), "steps": steps, "examples": steps * sizes}
        return Shown(told, size=sizes[i], curve=(lrs, np.where(np.isfinite(row), row, np.nan)), **data)

    def panels(rule, goal):
        lrs, (steps, best) = study.BATCH_LRS[rule], study.best_steps(rule, goal)
        (least, critical), fine = study.critical_batch(sizes, steps), np.geomspace(2, 1024, 60)
        batch = log("batch", *BEYOND, {k: f"{k}" for k in (2, 16, 128, 1024)})
        first, second, third = panels = [
            Panel((left, 0.15, 0.25, 0.74), x, log(*y))
            for left, x, y in (
                (0.065, batch, ("steps, examples to the goal", 3, 2e5)),
                (0.4, batch, ("best lr", lrs[0], 4 * lrs[-1])),
                (0.735, log("lr", lrs[0], lrs[-1]), ("steps to the goal", 3, 3000)),
            )
        ]
        first.legend, first.title = {"loc": "upper right"}, "{rule}, goal {goal:g}, batch {size}"
        first.add(fit=line(PALE, (fine, least * (1 + critical / fine)), linewidth=4, label="steps, fitted"))
        first.add(steps=dots(COLOURS[3], (sizes, steps), size=5, label="steps"))
        dashed = {"linestyle": "--", "marker": "s", "markersize": 4, "label": "examples"}
        first.add(examples=line(COLOURS[1], (sizes, steps * sizes), **dashed))
        second.legend, near = {"loc": "upper left"}, nearest(sizes, 16)
        for power, dash, name in ((1, "-", "lr ∝ batch"), (0.5, "--", "lr ∝ √batch")):
            pale = {"linestyle": dash, "linewidth": 3, "label": name}
            second.add(**{name: line(PALE, (sizes, best[near] * (sizes / 16) ** power), **pale)})
        second.add(best=dots(COLOURS[3], (sizes, best), size=5))
        for panel in (first, second):
            panel.add(critical=upright(PALE, critical, linestyle="--"))
        third.add(curve=line(COLOURS[3], marker="o", markersize=4, within=FREE))
        for i, panel in enumerate(panels):
            panel.add(**{f"ring{i}": ring(ALERT, width=2, within=FREE)})
        return panels

    knobs = {"rule": knob("SGD", study.BATCH_LRS, still=True), "goal": knob(0.1, study.GOALS, still=True)}
    return picture(panels, show, figsize=(10.4, 3.7), **knobs, batch=knob(16, study.BATCHES))


TOP = 0.6  # of the losses that are drawn
KINDS = {
    "constant": ("#222222", "-", "one run, lr constant"),
    "decay": (COLOURS[3], "-", "its end: lr falls to 0"),
    "averaged": ("#008060", ":", "average of the constant run"),
    "cosine": (COLOURS[1], "--", "cosine, planned for this end"),
}


def ends():
    """Return the scene of one run with a constant lr and its ends, beside a cosine for each end.

    end: the last step.  share: of the steps, for the decay.  peak: the constant lr.
    """
    t, steps = np.arange(0, study.ENDS[-1] + 1, study.LOOK), np.arange(0, study.ENDS[-1] + 1)

    def show(*, end, share, peak):
        found, k = study.results(), nearest(study.PEAKS, peak)
        i, j = study.ENDS.index(end), study.SHARES.index(share)
        best = study.best_lr(study.last_losses("cosine")[i], study.PEAKS)
        curves = {name: found[name][:, k] for name in ("constant", "averaged")}
        curves |= {"decay": found["decay"][i, j, :, k], "cosine": found["cosine"][i, :, best.index]}
        rows, until = slice(20 // study.LOOK, end // study.LOOK + 1), steps[: end + 1]
        data = {name: (t[rows], np.where(y[rows] <= TOP, y[rows], np.nan)) for name, y in curves.items()}
        data |= {"lr, constant": study.warm_up(study.constant(1.0), study.WARM)(steps)}
        data |= {"lr, decay": study.stable(1.0, end, share)(until)}
        data |= {"lr, cosine": study.one_cosine(1.0, end)(until)}
        last = {name: f"{its[end // study.LOOK]:.4f}" for name, its in curves.items()}
        told = f"At step {end}: constant {last['constant']}, after a decay over {share:.0%} of the steps "
        told += f"{last['decay']}, averaged {last['averaged']}; cosine at its own best lr {best.value:.2g}: "
        return Shown(f"{told}{last['cosine']}.", its_peak=study.PEAKS[k], **data)

    ticks = {y: f"{y:g}" for y in (0.12, 0.15, 0.2, 0.3, 0.5)}
    sides = [log("step", 20, 1800, {end: str(end) for end in study.ENDS})]
    sides += [log("training loss, penalty included", 0.115, TOP, ticks)]
    left = Panel((0.075, 0.145, 0.56, 0.75), *sides, legend="upper right")
    left.title = "end {end}   share {share:g}   peak {its_peak:.3g}"
    right = Panel((0.72, 0.145, 0.265, 0.75), step(1650), ("lr / its peak", 0, 1.25))
    for name, (colour, dash, label) in KINDS.items():
        left.add(**{name: line(colour, linestyle=dash, label=label, within=FREE)})
        right.add(**{f"lr, {name}": line(colour, linestyle=dash)})
    knobs = {"end": knob(400, study.ENDS), "share": knob(0.2, study.SHARES)}
    knobs["peak"] = knob(float(study.PEAKS[5]), study.PEAKS.tolist())
    return picture([left, right], show, figsize=(10.2, 4.0), **knobs)


def spikes():
    """Return the scene of Adam's steps when the gradient grows at once.

    clip: off, or a multiple of the usual gradient.
    """
    t = np.arange(-5, study.AFTER)

    def show(*, growth, beta1, beta2, clip, lasts):
        its = study.steps_after(growth, beta1, beta2, lasts, np.inf if clip == "off" else float(clip))
        told = f"The first step is {its[5]:.2f} lr, the longest {its[5:].max():.2f} lr; the last of "
        return Shown(f"{told}{study.AFTER} is {its[-1]:.2f} lr.", its=(t, its))

    told = "growth {growth:.3g}   beta1 {beta1:.3g}   beta2 {beta2:.4g}   clip {clip}"
    sides = ("steps since the gradient grew", -5, study.AFTER), ("step / lr", 0, 7.5)
    panel = Panel((0.075, 0.16, 0.9, 0.73), *sides, told, legend="upper right")
    panel.add(usual=level(PALE, 1, linestyle=":", label="the usual step: lr"))
    panel.add(other=line(PALE, (t, study.steps_after(100)), linewidth=4, label="100-fold, beta2 0.999"))
    panel.add(its=line(COLOURS[3], marker="o", markersize=4, label="these knobs", within=(-np.inf, 20)))
    knobs = {"growth": knob(100.0, 1.0, 1000.0), "beta1": knob(0.9, 0.0, 0.99)}
    knobs |= {"beta2": knob(0.999, [0.9, 0.95, 0.98, 0.99, 0.995, 0.999])}
    knobs |= {"clip": knob("off", ["2", "5", "10", "off"]), "lasts": knob(True)}
    return picture([panel], show, figsize=(9.6, 3.4), **knobs)


def rounding():
    """Return the scene of v in bfloat16 after the gradients have stopped."""

    def show(*, beta2):
        rows = study.falling(beta2)
        at = {name: f"{row[1000]:.2g}" for name, row in rows.items()}
        told = f"After 1,000 steps v is {at['exact']} exactly, {at['nearest']} in bfloat16 to the nearest, "
        told += f"{at['by chance']} by chance (mean of 200)."
        return Shown(told, **{name: (np.arange(0, 2001, 10), row[::10]) for name, row in rows.items()})

    sides = step(2000, "steps without a gradient"), log("v", 1e-4, 2)
    panel = Panel((0.075, 0.16, 0.9, 0.73), *sides, "beta2 {beta2:g}", legend="lower left")
    looks = {"exact": (PALE, "-", 5), "nearest": (ALERT, "-", 2), "by chance": (COLOURS[3], "--", 2)}
    for name, (colour, dash, wide) in looks.items():
        look = {"linestyle": dash, "linewidth": wide, "label": name, "within": (1e-5, np.inf)}
        panel.add(**{name: line(colour, **look)})
    betas = [0.95, 0.98, 0.99, 0.995, 0.997, 0.998, 0.999, 0.9995]
    return picture([panel], show, figsize=(9.6, 3.2), beta2=knob(0.999, betas))


def table_of(v, guess):
    """Return the still picture of a table v, of the guess from its margins, and of their quotient."""
    own, quotient = (np.log10(v[v > 0].min()), np.log10(v.max()), "cividis"), (-1.5, 1.5, "PuOr")
    tables = {"v, every number kept": (v, *own), "from sums of rows and columns": (guess, *own)}

    def draw(ax, its):
        table, low, high, shades = its
        ax.imshow(np.log10(table), aspect="auto", vmin=low, vmax=high, cmap=shades)
        ax.grid(False)

    with np.errstate(divide="ignore", invalid="ignore"):
        tables["their quotient: 0.03 to 30"] = guess / v, *quotient
        adjust = 0.07, 0.17, 0.985, 0.89, 0.17
        figure = columns(tables, {"input": draw}, (9.6, 3.3), adjust=adjust, xlabel="unit")
    kept = v > 0
    spread = np.exp(np.abs(np.log(guess[kept] / v[kept])).mean())
    told = f"v has {v.size:,} numbers, its margins {sum(v.shape)}; the guess is off by a factor of "
    return Picture(figure, f"{told}{spread:.1f} on average.")


def four(runs):
    """Return the still picture of four trainings: the loss above, the length of the gradient below.

    runs: letter → losses and lengths, at every fourth step.
    """

    def draw(ax, y, limits, ticks, **style):
        ax.plot(4 * np.arange(len(y)), y, **style)
        ax.axvline(200, color=PALE, linestyle=":")
        ax.set(yscale="log", ylim=limits)
        _marks(ax.yaxis, ticks)

    rows = {"loss": lambda ax, run: draw(ax, run[0], (0.1, 4), (0.1, 0.3, 1, 3), color=COLOURS[3])}
    thin = {"color": COLOURS[1], "linewidth": 1}
    rows["gradient"] = lambda ax, run: draw(ax, run[1], (0.02, 20), (0.1, 1, 10), **thin)
    adjust = 0.07, 0.12, 0.99, 0.92, 0.1, 0.12
    figure = columns(runs, rows, (10.2, 4.2), adjust=adjust, sharex=True, sharey="row")
    last = {letter: float(losses[-1]) for letter, (losses, _) in runs.items()}  # above 1 it is chaos
    ends = "; ".join(f"{letter} {'above 1' if x > 1 else f'{x:.1f}'}" for letter, x in last.items())
    told = "Four trainings, in each something happens at step 200. Losses at the end: "
    return Picture(figure, f"{told}{ends}.")
