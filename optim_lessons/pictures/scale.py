"""The pictures of lesson 15: widths, batches, ends of a training, spikes, and numbers with few digits."""

import numpy as np
from matplotlib.ticker import NullLocator

from optim_lessons.adam import adam
from optim_lessons.lab.fair import best_of
from optim_lessons.lab.live import Scene
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


def nearest(values, x):
    """Return the index of the value nearest to x, as logarithms."""
    return int(np.abs(np.log(np.asarray(values) / x)).argmin())


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
    axis.set_ticks(values, [f"{v:g}" for v in values], minor=False)
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

    Knobs: rule, style, and factor: the lines are read at so many times the best lr of the narrowest network.
    """

    def build(figure, *, rule):
        lrs = study.LRS[rule]
        narrow = best_lr(width_results(rule, "standard")[0], lrs).value
        left, right = figure.add_axes((0.07, 0.145, 0.5, 0.75)), figure.add_axes((0.66, 0.145, 0.325, 0.75))
        left.set(xscale="log", yscale="log", xlim=(lrs[0], lrs[-1]), ylim=(0.015, HIGH))
        left.set(xlabel="lr", ylabel="training loss at the end")
        left.xaxis.set_major_locator(NullLocator())
        left.xaxis.set_minor_locator(NullLocator())
        ticks = np.log2(lrs[::4]).round().astype(int)
        left.set_xticks(2.0**ticks, [f"$2^{{{k}}}$" for k in ticks])
        lines, bests = [], []
        for width, colour, mark in zip(study.WIDTHS, COLOURS, MARKS, strict=True):
            style = {"color": colour, "marker": mark, "markersize": 3.5, "linewidth": 1.5}
            lines.append(left.plot([], [], label=f"width {width}", animated=True, **style)[0])
            bests.append(left.plot([], [], mark, color=colour, markersize=10, animated=True)[0])
        now = left.axvline(1, color=ALERT, linestyle=":", linewidth=2, animated=True)
        left.legend(loc="lower left", ncols=2)
        right.set(xscale="log", yscale="log", xlim=(26, 320), ylim=(lrs[0], lrs[-1]))
        right.set(xlabel="width", ylabel="best lr")
        right.set_yticks(2.0**ticks, [f"$2^{{{k}}}$" for k in ticks])
        right.yaxis.set_minor_locator(NullLocator())
        _marks(right.xaxis, study.WIDTHS)
        for name, line in zip(study.STYLES, ("--", "-"), strict=True):
            right.plot(study.WIDTHS, best_lrs(rule, name), line, color=PALE, linewidth=4, label=name)
        dots = right.plot([], [], "o", color="#222222", markersize=7, animated=True)[0]
        right.legend(loc="lower left")
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, style, factor):
            losses, i = width_results(rule, style), nearest(lrs, factor * narrow)
            lr = lrs[i]
            for line, best, row in zip(lines, bests, losses, strict=True):
                line.set_data(lrs, np.minimum(np.nan_to_num(row, nan=HIGH), HIGH))
                k = best_lr(row, lrs).index
                best.set_data([lrs[k]], [row[k]])
            now.set_xdata([lr, lr])
            dots.set_data(study.WIDTHS, best_lrs(rule, style))
            title.set_text(f"{rule}, {style}   factor {factor:.3g}: lr {lr:.3g}")
            here = ", ".join(f"{row[i]:.2g}" if row[i] < HIGH else f"above {HIGH:g}" for row in losses)
            best = ", ".join(f"{best_lr(row, lrs).value:.2g}" for row in losses)
            names = ", ".join(map(str, study.WIDTHS))
            return f"Widths {names}: loss {here} at lr {lr:.3g}; best lr {best}."

        return move

    factors = (2.0 ** np.arange(-4.5, 2.6, 0.5)).tolist()  # with each of them every rule was tried
    ranges = {"rule": list(study.LRS), "style": list(study.STYLES), "factor": factors}
    return Scene(build, {"style": "standard", "factor": 1.0}, {"rule": "Adam"}, ranges)


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

    Knobs: rule, goal (a training loss) and batch, at which steps are read and drawn against lr.
    """

    def build(figure, *, rule, goal):
        lrs, sizes = study.BATCH_LRS[rule], np.array(study.BATCHES)
        steps, best = best_steps(rule, goal)
        least, critical = critical_batch(sizes, steps)
        axes = [figure.add_axes((x, 0.15, 0.25, 0.74)) for x in (0.065, 0.4, 0.735)]
        fine = np.geomspace(2, 1024, 60)
        axes[0].plot(fine, least * (1 + critical / fine), color=PALE, linewidth=4, label="steps, fitted")
        axes[0].plot(sizes, steps, "o", color=COLOURS[3], markersize=5, label="steps")
        axes[0].plot(sizes, steps * sizes, "s--", color=COLOURS[1], markersize=4, label="examples")
        axes[0].axvline(critical, color=PALE, linestyle="--")
        axes[0].set(ylabel="steps, examples to the goal", xlabel="batch")
        axes[0].legend(loc="upper right")
        near = nearest(sizes, 16)
        for power, line, name in ((1, "-", "lr ∝ batch"), (0.5, "--", "lr ∝ √batch")):
            y = best[near] * (sizes / 16) ** power
            axes[1].plot(sizes, y, line, color=PALE, linewidth=3, label=name)
        axes[1].plot(sizes, best, "o", color=COLOURS[3], markersize=5)
        axes[1].set(ylabel="best lr", xlabel="batch", ylim=(lrs[0], 4 * lrs[-1]))
        axes[1].axvline(critical, color=PALE, linestyle="--")
        axes[1].legend(loc="upper left")
        axes[2].set(ylabel="steps to the goal", xlabel="lr", xlim=(lrs[0], lrs[-1]))
        for ax in axes:
            ax.set(xscale="log", yscale="log")
        for ax in axes[:2]:
            ax.set_xticks([2, 16, 128, 1024], ["2", "16", "128", "1024"])
            ax.xaxis.set_minor_locator(NullLocator())
        axes[0].set_ylim(3, 2e5)
        axes[2].set_ylim(3, 3000)
        curve = axes[2].plot([], [], "o-", color=COLOURS[3], markersize=4, animated=True)[0]
        ring = {"color": ALERT, "fillstyle": "none", "markersize": 11, "markeredgewidth": 2}
        rings = [ax.plot([], [], "o", animated=True, **ring)[0] for ax in axes]
        title = axes[0].set_title("", fontsize=10, animated=True)

        def move(*, batch):
            i = nearest(sizes, batch)
            row = batch_results(rule, goal)[i]
            k = best_lr(row, lrs).index
            curve.set_data(lrs, np.where(np.isfinite(row), row, np.nan))
            for ring, x, y in zip(
                rings, (sizes[i], sizes[i], lrs[k]), (steps[i], best[i], row[k]), strict=True
            ):
                ring.set_data([x], [y])
            title.set_text(f"{rule}, goal {goal:g}, batch {sizes[i]}")
            return (
                f"Batch {sizes[i]}: {steps[i]:.0f} steps, {steps[i] * sizes[i]:,.0f} examples at lr "
                f"{best[i]:.2g}. Fitted: at least {least:.1f} steps, critical batch {critical:.0f}."
            )

        return move

    ranges = {"rule": list(study.BATCH_LRS), "goal": list(study.GOALS), "batch": list(study.BATCHES)}
    return Scene(build, {"batch": 16}, {"rule": "SGD", "goal": 0.1}, ranges, size=(10.4, 3.7))


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

    Knobs: end (the last step), share (of the steps, for the decay) and peak (the constant lr).
    """

    def build(figure):
        left, right = figure.add_axes((0.075, 0.145, 0.56, 0.75)), figure.add_axes((0.72, 0.145, 0.265, 0.75))
        t = np.arange(0, study.ENDS[-1] + 1, study.LOOK)
        left.set(xscale="log", yscale="log", xlim=(20, 1800), ylim=(0.115, TOP))
        left.set(xlabel="step", ylabel="training loss, penalty included")
        left.set_xticks(study.ENDS, map(str, study.ENDS))
        left.xaxis.set_minor_locator(NullLocator())
        left.set_yticks([0.12, 0.15, 0.2, 0.3, 0.5], ["0.12", "0.15", "0.2", "0.3", "0.5"])
        left.yaxis.set_minor_locator(NullLocator())
        right.set(xlim=(0, 1650), ylim=(0, 1.25), xlabel="step", ylabel="lr / its peak")
        kinds = {
            "constant": ("#222222", "-", "one run, lr constant"),
            "decay": (COLOURS[3], "-", "its end: lr falls to 0"),
            "averaged": ("#008060", ":", "average of the constant run"),
            "cosine": (COLOURS[1], "--", "cosine, planned for this end"),
        }
        lines, rates = {}, {}
        for name, (colour, line, label) in kinds.items():
            lines[name] = left.plot([], [], line, color=colour, label=label, animated=True)[0]
            if name != "averaged":
                rates[name] = right.plot([], [], line, color=colour, animated=True)[0]
        left.legend(loc="upper right")
        title = left.set_title("", fontsize=10, animated=True)

        def move(*, end, share, peak):
            found, k = study.results(), nearest(study.PEAKS, peak)
            i, j = study.ENDS.index(end), study.SHARES.index(share)
            best = best_lr(last_losses("cosine")[i], study.PEAKS)
            rows = slice(20 // study.LOOK, end // study.LOOK + 1)
            curves = {
                "constant": found["constant"][:, k], "averaged": found["averaged"][:, k],
                "decay": found["decay"][i, j, :, k], "cosine": found["cosine"][i, :, best.index],
            }  # fmt: skip
            for name, line in lines.items():
                seen = curves[name][rows]
                line.set_data(t[rows], np.where(seen <= TOP, seen, np.nan))
            steps = np.arange(0, study.ENDS[-1] + 1)
            shapes = {
                "constant": study.warm_up(study.constant(1.0), study.WARM),
                "decay": study.stable(1.0, end, share), "cosine": study.one_cosine(1.0, end),
            }  # fmt: skip
            for name, line in rates.items():
                seen = steps if name == "constant" else steps[: end + 1]
                line.set_data(seen, shapes[name](seen))
            title.set_text(f"end {end}   share {share:g}   peak {study.PEAKS[k]:.3g}")
            last = {name: curves[name][end // study.LOOK] for name in lines}
            return (
                f"At step {end}: constant {last['constant']:.4f}, after a decay over {share:.0%} of the "
                f"steps {last['decay']:.4f}, averaged {last['averaged']:.4f}; cosine at its own best lr "
                f"{best.value:.2g}: {last['cosine']:.4f}."
            )

        return move

    moving = {"end": 400, "share": 0.2, "peak": float(study.PEAKS[5])}
    ranges = {"end": list(study.ENDS), "share": list(study.SHARES), "peak": study.PEAKS.tolist()}
    return Scene(build, moving, {}, ranges, size=(10.2, 4.0))


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

    Knobs: growth, beta1, beta2, clip (off, or a multiple of the usual gradient) and lasts.
    """

    def build(figure):
        ax = figure.add_axes((0.075, 0.16, 0.9, 0.73))
        ax.set(xlim=(-5, AFTER), ylim=(0, 7.5), xlabel="steps since the gradient grew", ylabel="step / lr")
        ax.axhline(1, color=PALE, linestyle=":", label="the usual step: lr")
        ax.plot(
            np.arange(-5, AFTER), steps_after(100), color=PALE, linewidth=4, label="100-fold, beta2 0.999"
        )
        line = ax.plot([], [], "o-", color=COLOURS[3], markersize=4, label="these knobs", animated=True)[0]
        ax.legend(loc="upper right")
        title = ax.set_title("", fontsize=10, animated=True)

        def move(*, growth, beta1, beta2, clip, lasts):
            limit = np.inf if clip == "off" else float(clip)
            its = steps_after(growth, beta1, beta2, lasts, limit)
            line.set_data(np.arange(-5, AFTER), np.minimum(its, 20))
            title.set_text(f"growth {growth:.3g}   beta1 {beta1:.3g}   beta2 {beta2:.4g}   clip {clip}")
            after = its[5:]
            return (
                f"The first step is {after[0]:.2f} lr, the longest {after.max():.2f} lr; the last of "
                f"{AFTER} is {after[-1]:.2f} lr."
            )

        return move

    moving = {"growth": 100.0, "beta1": 0.9, "beta2": 0.999, "clip": "off", "lasts": True}
    ranges = {"growth": (1.0, 1000.0), "beta1": (0.0, 0.99), "beta2": [0.9, 0.95, 0.98, 0.99, 0.995, 0.999]}
    ranges |= {"clip": ["2", "5", "10", "off"]}
    return Scene(build, moving, {}, ranges, size=(9.6, 3.4))


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
    """Return the scene of v in bfloat16 after the gradients have stopped.  Knob: beta2."""

    def build(figure):
        ax = figure.add_axes((0.075, 0.16, 0.9, 0.73))
        ax.set(xlim=(0, 2000), ylim=(1e-4, 2), yscale="log", xlabel="steps without a gradient", ylabel="v")
        looks = {"exact": (PALE, "-", 5), "nearest": (ALERT, "-", 2), "by chance": (COLOURS[3], "--", 2)}
        lines = {
            name: ax.plot([], [], style, color=colour, linewidth=wide, label=name, animated=True)[0]
            for name, (colour, style, wide) in looks.items()
        }
        ax.legend(loc="lower left")
        title = ax.set_title("", fontsize=10, animated=True)

        def move(*, beta2):
            rows = falling(beta2)
            for name, line in lines.items():
                line.set_data(np.arange(0, 2001, 10), np.maximum(rows[name][::10], 1e-5))
            title.set_text(f"beta2 {beta2:g}")
            at = {name: row[1000] for name, row in rows.items()}
            return (
                f"After 1,000 steps v is {at['exact']:.2g} exactly, {at['nearest']:.2g} in bfloat16 to the "
                f"nearest, {at['by chance']:.2g} by chance (mean of 200)."
            )

        return move

    betas = [0.95, 0.98, 0.99, 0.995, 0.997, 0.998, 0.999, 0.9995]
    return Scene(build, {"beta2": 0.999}, {}, {"beta2": betas}, size=(9.6, 3.2))


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
