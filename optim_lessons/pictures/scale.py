"""The pictures of lesson 15: widths, batches, ends of a training, spikes, and numbers with few digits."""

import numpy as np
from matplotlib.ticker import NullLocator

from optim_lessons.adam import adam
from optim_lessons.lab.fair import best_of, nearest

from optim_lessons.lab.panels import (  # isort: skip
    FREE, Panel, Shown, dots, knob, level, line, log, picture, ring, step, upright,
)  # fmt: skip
from optim_lessons.lab.plots import ALERT, Picture, look, new_figure
from optim_lessons.scale import bfloat16
from optim_lessons.studies import scaling as study

COLOURS = ("#7a4a00", "#b87700", "#3c9bd6", "#0060a8")  # from the narrowest network to the widest
MARKS = "osD^"
PALE = "#9aa7b4"
HIGH = 3.0  # losses above look alike


def best_lr(losses, lrs):
    """Return the `Best` of losses over the tried lrs."""
    return best_of(np.asarray(losses, float), lr=lrs)


def between(losses, lrs):
    """Return the lr at the foot of the parabola through the best loss and its neighbours, as logarithms."""
    i = int(np.clip(best_lr(losses, lrs).index, 1, len(lrs) - 2))
    left, here, right = np.log(np.asarray(losses, float))[i - 1 : i + 2]
    bend = left - 2 * here + right
    part = 0.5 * (left - right) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(lrs[i] * (lrs[1] / lrs[0]) ** np.clip(part, -0.5, 0.5))


def power_of(x, y):
    """Return the power p of y ∝ x^p: the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _marks(axis, values):
    _ticks(axis, {value: f"{value:g}" for value in values})


def _ticks(axis, texts):
    axis.set_ticks(list(texts), list(texts.values()), minor=False)
    axis.set_minor_locator(NullLocator())


# --- widths ------------------------------------------------------------------------------------------------


def width_results(rule, style):
    """Return the stored losses of a rule in a style, shape (widths, lrs)."""
    return study.results()[f"width {rule}"][study.STYLES.index(style)]


def best_lrs(rule, style):
    """Return the best lr of each width, as the parabola gives it."""
    return [between(row, study.LRS[rule]) for row in width_results(rule, style)]


def widths():
    """Return the scene of the loss against lr, a line a width, and the best lr against the width.

    factor: the lines are read at so many times the best lr of the narrowest network.
    """

    def show(*, rule, style, factor):
        lrs, losses = study.LRS[rule], width_results(rule, style)
        narrow = best_lr(width_results(rule, "standard")[0], lrs).value
        i, bests = nearest(lrs, factor * narrow), [best_lr(row, lrs) for row in losses]
        here = ", ".join(f"{row[i]:.2g}" if row[i] < HIGH else f"above {HIGH:g}" for row in losses)
        best, names = (", ".join(its) for its in ([f"{b.value:.2g}" for b in bests], map(str, study.WIDTHS)))
        data = {}
        for width, row, its in zip(study.WIDTHS, losses, bests, strict=True):
            data[f"width {width}"] = lrs, np.minimum(np.nan_to_num(row, nan=HIGH), HIGH)
            data[f"best of {width}"] = [lrs[its.index]], [row[its.index]]
        told = f"Widths {names}: loss {here} at lr {lrs[i]:.3g}; best lr {best}."
        return Shown(told, lr=lrs[i], best=(study.WIDTHS, best_lrs(rule, style)), **data)

    def panels(rule):
        lrs = study.LRS[rule]
        powers = np.log2(lrs[::4]).round().astype(int)
        ticks = {2.0**k: f"$2^{{{k}}}$" for k in powers}
        left = Panel((0.07, 0.145, 0.5, 0.75), log("lr", lrs[0], lrs[-1], ticks))
        left.sides["y"] = log("training loss at the end", 0.015, HIGH)
        left.title = "{rule}, {style}   factor {factor:.3g}: lr {lr:.3g}"
        left.legend = {"loc": "lower left", "ncols": 2}
        for width, colour, mark in zip(study.WIDTHS, COLOURS, MARKS, strict=True):
            style, name = {"color": colour, "marker": mark}, f"width {width}"
            left.add(**{name: line(style, label=name, markersize=3.5, linewidth=1.5, within=FREE)})
            left.add(**{f"best of {width}": line(style, linestyle="", markersize=10, within=FREE)})
        left.add(lr=upright(ALERT, linestyle=":", linewidth=2))
        sides = (
            log("width", 26, 320, {w: f"{w:g}" for w in study.WIDTHS}),
            log("best lr", lrs[0], lrs[-1], ticks),
        )
        right = Panel((0.66, 0.145, 0.325, 0.75), *sides, legend="lower left")
        for name, dash in zip(study.STYLES, ("--", "-"), strict=True):
            pale = {"linestyle": dash, "linewidth": 4, "label": name}
            right.add(**{name: line(PALE, (study.WIDTHS, best_lrs(rule, name)), **pale)})
        return [left, right.add(best=dots("#222222", size=7, within=FREE))]

    factors = (2.0 ** np.arange(-4.5, 2.6, 0.5)).tolist()  # with each of them every rule was tried
    knobs = {"rule": knob("Adam", study.LRS, still=True), "style": knob("standard", study.STYLES)}
    return picture(panels, show, **knobs, factor=knob(1.0, factors))


TICKS = {"SGD": (0.1, 0.2, 0.5, 1), "Adam": (4, 8, 16, 32), "Muon": (0.5, 0.7, 1, 1.5)}


def effects(lr=0.01):
    """Return the still picture of what the first step changes in each layer's output, against the width."""
    figure = new_figure((9.6, 3.3))
    said = []
    with look():
        axes = figure.subplots(1, 3)
        figure.subplots_adjust(0.065, 0.17, 0.82, 0.88, wspace=0.28)
        for ax, rule in zip(axes, study.LRS, strict=True):
            for style, line in zip(study.STYLES, ("--", "-"), strict=True):
                its = changes(rule, style, lr)
                for layer, colour, mark, y in zip(study.LAYERS, COLOURS[::-1], MARKS, its.T, strict=False):
                    label = f"{layer}, {style}"
                    ax.plot(study.WIDTHS, y, line, color=colour, marker=mark, markersize=5, label=label)
            ax.set(xscale="log", yscale="log", title=rule, xlabel="width")
            _marks(ax.xaxis, study.WIDTHS)
            _marks(ax.yaxis, TICKS[rule])
            grown = changes(rule, "standard", lr)
            said.append(f"{rule} " + ", ".join(f"{g:.1f}" for g in grown[-1] / grown[0]))
        axes[0].set_ylabel("change of a layer's output / lr")
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=9, handlelength=3.2)
    return Picture(
        figure, f"From width 32 to 256, standard, the first, hidden and last layer's change grows by: "
        f"{'; '.join(said)}."
    )  # fmt: skip


def changes(rule, style, lr=0.01):
    """Return the changes of `first_changes` at each width, shape (widths, layers)."""
    return np.array([study.first_changes(rule, style, width, lr) for width in study.WIDTHS])


# --- batches -----------------------------------------------------------------------------------------------


def batch_results(rule, goal):
    """Return the stored numbers of steps to a goal, shape (batches, lrs)."""
    return study.results()[f"batch {rule}"][:, study.GOALS.index(goal)]


def best_steps(rule, goal):
    """Return the steps of the best lr, and that lr by the parabola, one for each batch."""
    lrs, found = study.BATCH_LRS[rule], batch_results(rule, goal)
    return np.array([best_lr(row, lrs).score for row in found]), [between(row, lrs) for row in found]


def critical_batch(batches, steps):
    """Return least and critical of steps = least · (1 + critical / batch), fitted to relative errors."""
    batches = np.asarray(batches, float)
    table = np.stack([np.ones_like(batches), 1 / batches], axis=-1) / steps[:, None]
    least, slope = np.linalg.lstsq(table, np.ones_like(batches), rcond=None)[0]
    return float(least), float(slope / least)


def batches():
    """Return the scene of steps, examples and best lr against the batch.

    goal: a training loss.  batch: at which steps are read and drawn against lr.
    """
    sizes = np.array(study.BATCHES)

    def show(*, rule, goal, batch):
        lrs, i, (steps, best) = study.BATCH_LRS[rule], nearest(sizes, batch), best_steps(rule, goal)
        row, (least, critical) = batch_results(rule, goal)[i], critical_batch(sizes, steps)
        k = best_lr(row, lrs).index
        told = f"Batch {sizes[i]}: {steps[i]:.0f} steps, {steps[i] * sizes[i]:,.0f} examples at lr "
        told += f"{best[i]:.2g}. Fitted: at least {least:.1f} steps, critical batch {critical:.0f}."
        data = {"ring0": ([sizes[i]], [steps[i]]), "ring1": ([sizes[i]], [best[i]])}
        data |= {"ring2": ([lrs[k]], [row[k]])}
        data |= {"steps": steps, "examples": steps * sizes}
        return Shown(told, size=sizes[i], curve=(lrs, np.where(np.isfinite(row), row, np.nan)), **data)

    def panels(rule, goal):
        lrs, (steps, best), fine = study.BATCH_LRS[rule], best_steps(rule, goal), np.geomspace(2, 1024, 60)
        least, critical = critical_batch(sizes, steps)
        ticks, place = {k: f"{k}" for k in (2, 16, 128, 1024)}, lambda x: (x, 0.15, 0.25, 0.74)
        free = lambda ax: (ax.set_xscale("log"), ax.set_xlabel("batch"))  # noqa: E731
        first = Panel(place(0.065), None, log("steps, examples to the goal", 3, 2e5), log=free)
        first.legend = {"loc": "upper right"}
        first.title = "{rule}, goal {goal:g}, batch {size}"
        first.add(fit=line(PALE, (fine, least * (1 + critical / fine)), linewidth=4, label="steps, fitted"))
        first.add(steps=dots(COLOURS[3], (sizes, steps), size=5, label="steps"))
        dashed = {"linestyle": "--", "marker": "s", "markersize": 4, "label": "examples"}
        first.add(examples=line(COLOURS[1], (sizes, steps * sizes), **dashed))
        second = Panel(place(0.4), None, log("best lr", lrs[0], 4 * lrs[-1]), legend="upper left", log=free)
        near = nearest(sizes, 16)
        for power, dash, name in ((1, "-", "lr ∝ batch"), (0.5, "--", "lr ∝ √batch")):
            pale = {"linestyle": dash, "linewidth": 3, "label": name}
            second.add(**{name: line(PALE, (sizes, best[near] * (sizes / 16) ** power), **pale)})
        second.add(best=dots(COLOURS[3], (sizes, best), size=5))
        for panel in (first, second):
            panel.add(critical=upright(PALE, critical, linestyle="--"))
            panel.add(side=lambda ax: (ax.relim(), ax.autoscale_view(scaley=False), _ticks(ax.xaxis, ticks)))
        third = Panel(place(0.735), log("lr", lrs[0], lrs[-1]), log("steps to the goal", 3, 3000))
        third.add(curve=line(COLOURS[3], marker="o", markersize=4, within=FREE))
        for i, panel in enumerate((first, second, third)):
            panel.add(**{f"ring{i}": ring(ALERT, width=2, within=FREE)})
        return [first, second, third]

    knobs = {"rule": knob("SGD", study.BATCH_LRS, still=True), "goal": knob(0.1, study.GOALS, still=True)}
    return picture(panels, show, figsize=(10.4, 3.7), **knobs, batch=knob(16, study.BATCHES))


# --- ends --------------------------------------------------------------------------------------------------


def last_losses(kind, share=None):
    """Return the stored last losses of each end, shape (ends, peaks): constant, averaged, cosine or decay."""
    found = study.results()[kind]
    rows = [end // study.LOOK for end in study.ENDS]
    if kind in ("constant", "averaged"):
        return found[rows]
    if kind == "decay":
        found = found[:, study.SHARES.index(share)]
    return np.array([its[row] for its, row in zip(found, rows, strict=True)])


TOP = 0.6  # of the losses that are drawn


def ends():
    """Return the scene of one run with a constant lr and its ends, beside a cosine for each end.

    end: the last step.  share: of the steps, for the decay.  peak: the constant lr.
    """
    t, steps = np.arange(0, study.ENDS[-1] + 1, study.LOOK), np.arange(0, study.ENDS[-1] + 1)
    kinds = {"constant": ("#222222", "-", "one run, lr constant")}
    kinds |= {"decay": (COLOURS[3], "-", "its end: lr falls to 0")}
    kinds |= {"averaged": ("#008060", ":", "average of the constant run")}
    kinds |= {"cosine": (COLOURS[1], "--", "cosine, planned for this end")}

    def show(*, end, share, peak):
        found, k = study.results(), nearest(study.PEAKS, peak)
        i, j = study.ENDS.index(end), study.SHARES.index(share)
        best = best_lr(last_losses("cosine")[i], study.PEAKS)
        curves = {name: found[name][:, k] for name in ("constant", "averaged")}
        curves |= {"decay": found["decay"][i, j, :, k], "cosine": found["cosine"][i, :, best.index]}
        rows, until = slice(20 // study.LOOK, end // study.LOOK + 1), steps[: end + 1]
        data = {
            name: (t[rows], np.where(its[rows] <= TOP, its[rows], np.nan)) for name, its in curves.items()
        }
        data |= {"lr, constant": study.warm_up(study.constant(1.0), study.WARM)(steps)}
        data |= {"lr, decay": study.stable(1.0, end, share)(until)}
        data |= {"lr, cosine": study.one_cosine(1.0, end)(until)}
        last = {name: its[end // study.LOOK] for name, its in curves.items()}
        told = f"At step {end}: constant {last['constant']:.4f}, after a decay over {share:.0%} of the steps "
        told += f"{last['decay']:.4f}, averaged {last['averaged']:.4f}; cosine at its own best lr "
        return Shown(f"{told}{best.value:.2g}: {last['cosine']:.4f}.", its_peak=study.PEAKS[k], **data)

    ticks = {y: f"{y:g}" for y in (0.12, 0.15, 0.2, 0.3, 0.5)}
    sides = [log("step", 20, 1800, {end: str(end) for end in study.ENDS})]
    sides += [log("training loss, penalty included", 0.115, TOP, ticks)]
    left = Panel((0.075, 0.145, 0.56, 0.75), *sides, legend="upper right")
    left.title = "end {end}   share {share:g}   peak {its_peak:.3g}"
    right = Panel((0.72, 0.145, 0.265, 0.75), step(1650), ("lr / its peak", 0, 1.25))
    for name, (colour, dash, label) in kinds.items():
        left.add(**{name: line(colour, linestyle=dash, label=label, within=FREE)})
        right.add(**{f"lr, {name}": line(colour, linestyle=dash)})
    knobs = {"end": knob(400, study.ENDS), "share": knob(0.2, study.SHARES)}
    return picture(
        [left, right],
        show,
        figsize=(10.2, 4.0),
        **knobs,
        peak=knob(float(study.PEAKS[5]), study.PEAKS.tolist()),
    )


# --- spikes ------------------------------------------------------------------------------------------------

AFTER = 60
LONG = 10**6  # steps before: nothing is left of the bias correction


def steps_after(growth, beta1=0.9, beta2=0.999, lasts=True, clip=np.inf):
    """Return Adam's steps in units of lr, from 5 before the gradient grows from 1 to `growth` at once.

    lasts: whether it stays there, or comes back after one batch.  clip: the longest gradient that gets in.
    """
    w, m, v, t, walk = 0.0, 1.0, 1.0, LONG, [0.0]
    for k in range(-5, AFTER):
        g = min(growth if k == 0 or (lasts and k > 0) else 1.0, clip)
        w, m, v, t = adam(w, g, m, v, t, lr=1.0, beta1=beta1, beta2=beta2)
        walk.append(w)
    return -np.diff(walk)


def spikes():
    """Return the scene of Adam's steps when the gradient grows at once.

    clip: off, or a multiple of the usual gradient.
    """
    t = np.arange(-5, AFTER)

    def show(*, growth, beta1, beta2, clip, lasts):
        its = steps_after(growth, beta1, beta2, lasts, np.inf if clip == "off" else float(clip))
        told = f"The first step is {its[5]:.2f} lr, the longest {its[5:].max():.2f} lr; the last of "
        return Shown(f"{told}{AFTER} is {its[-1]:.2f} lr.", its=(t, its))

    told = "growth {growth:.3g}   beta1 {beta1:.3g}   beta2 {beta2:.4g}   clip {clip}"
    sides = ("steps since the gradient grew", -5, AFTER), ("step / lr", 0, 7.5)
    panel = Panel((0.075, 0.16, 0.9, 0.73), *sides, told, legend="upper right")
    panel.add(usual=level(PALE, 1, linestyle=":", label="the usual step: lr"))
    panel.add(other=line(PALE, (t, steps_after(100)), linewidth=4, label="100-fold, beta2 0.999"))
    panel.add(its=line(COLOURS[3], marker="o", markersize=4, label="these knobs", within=(-np.inf, 20)))
    knobs = {"growth": knob(100.0, 1.0, 1000.0), "beta1": knob(0.9, 0.0, 0.99)}
    knobs |= {"beta2": knob(0.999, [0.9, 0.95, 0.98, 0.99, 0.995, 0.999])}
    knobs |= {"clip": knob("off", ["2", "5", "10", "off"]), "lasts": knob(True)}
    return picture([panel], show, figsize=(9.6, 3.4), **knobs)


# --- few digits --------------------------------------------------------------------------------------------


def falling(beta2, steps=2000, seed=0):
    """Return v while the gradients are 0: exact, and in bfloat16 to the nearest and by chance."""
    chances = np.random.default_rng(seed).random((steps, 200))
    v = {"exact": np.ones(1), "nearest": np.ones(1), "by chance": np.ones(200)}
    rows = {name: [1.0] for name in v}
    for u in chances:
        v = {name: beta2 * value for name, value in v.items()}
        v["nearest"], v["by chance"] = bfloat16(v["nearest"]), bfloat16(v["by chance"], u)
        for name, row in rows.items():
            row.append(float(v[name].mean()))
    return {name: np.array(row) for name, row in rows.items()}


def rounding():
    """Return the scene of v in bfloat16 after the gradients have stopped."""

    def show(*, beta2):
        rows = falling(beta2)
        told = f"After 1,000 steps v is {rows['exact'][1000]:.2g} exactly, {rows['nearest'][1000]:.2g} in "
        told += f"bfloat16 to the nearest, {rows['by chance'][1000]:.2g} by chance (mean of 200)."
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
    figure = new_figure((9.6, 3.3))
    with look():
        axes = figure.subplots(1, 3)
        figure.subplots_adjust(0.07, 0.17, 0.985, 0.89, wspace=0.17)
        height = np.log10(v[v > 0].min()), np.log10(v.max())
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = (np.log10(v), np.log10(guess), np.log10(guess / v))
        limits = (height, height, (-1.5, 1.5))
        names = ("v, every number kept", "from sums of rows and columns", "their quotient: 0.03 to 30")
        for ax, its, (low, high), name in zip(axes, shown, limits, names, strict=True):
            ax.imshow(
                its, aspect="auto", vmin=low, vmax=high, cmap="cividis" if ax is not axes[2] else "PuOr"
            )
            ax.set(title=name, xlabel="unit")
            ax.grid(False)
        axes[0].set_ylabel("input")
    kept = v > 0
    spread = np.exp(np.abs(np.log(guess[kept] / v[kept])).mean())
    return Picture(
        figure, f"v has {v.size:,} numbers, its margins {sum(v.shape)}; the guess is off by a factor of "
        f"{spread:.1f} on average."
    )  # fmt: skip


def four(runs):
    """Return the still picture of four trainings: the loss above, the length of the gradient below.

    runs: letter → losses and lengths, at every fourth step.
    """
    figure = new_figure((10.2, 4.2))
    with look():
        axes = figure.subplots(2, len(runs), sharex=True, sharey="row")
        figure.subplots_adjust(0.07, 0.12, 0.99, 0.92, wspace=0.1, hspace=0.12)
        for (loss, length), (letter, (losses, lengths)) in zip(axes.T, runs.items(), strict=True):
            loss.plot(4 * np.arange(len(losses)), losses, color=COLOURS[3])
            length.plot(4 * np.arange(len(lengths)), lengths, color=COLOURS[1], linewidth=1)
            for ax in (loss, length):
                ax.axvline(200, color=PALE, linestyle=":")
                ax.set_yscale("log")
            loss.set(title=letter, ylim=(0.1, 4))
            length.set(xlabel="step", ylim=(0.02, 20))
            _marks(loss.yaxis, (0.1, 0.3, 1, 3))
            _marks(length.yaxis, (0.1, 1, 10))
        axes[0, 0].set_ylabel("loss")
        axes[1, 0].set_ylabel("gradient")
    last = {letter: float(losses[-1]) for letter, (losses, _) in runs.items()}  # above 1 it is chaos
    ends = "; ".join(f"{letter} {'above 1' if x > 1 else f'{x:.1f}'}" for letter, x in last.items())
    return Picture(
        figure, f"Four trainings, in each something happens at step 200. Losses at the end: {ends}."
    )
