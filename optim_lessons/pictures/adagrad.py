"""The pictures of lesson 06: the long run, which lesson 07 shows again with its own rule."""

from functools import lru_cache

import numpy as np

from optim_lessons.lab.knobs import parts
from optim_lessons.lab.live import Scene
from optim_lessons.lab.plots import ALERT, rule_label, rule_style

GROUND = "#8593a0"  # what is not a walk: a minimum that moves, a slope to compare with
STEPS = 3000  # of the long run
BURST_AT = 1000  # its step with the burst


@lru_cache(maxsize=32)
def moving_minimum(season=300, noise=0.3, burst=0.0, steps=STEPS, seed=0):
    """Return where the minimum of ½·(w − c)² is at each step, and what is added to the slope there.

    c: swings between −1 and 1, once in `season` steps; shape (steps + 1,).  noise: its size, drawn from
    the seed; at step BURST_AT `burst` is added too; shape (steps,). The slope is w − c[t] + added[t].
    """
    c = np.sin(2 * np.pi * np.arange(steps + 1) / season)
    added = noise * np.random.default_rng(seed).standard_normal(steps)
    added[BURST_AT : BURST_AT + 1] += burst
    return c, added


def follow(rule, c, added, **knobs):
    """Walk a rule from 0 after a moving minimum; return w, shape (steps + 1,), and v or None, shape (steps,).

    It is `record` with single numbers instead of arrays, which is four times as fast.
    """
    names = list(parts(rule).state)
    w, state = np.float64(0.0), ()
    ws, vs = [w], []
    at = names.index("v") if "v" in names else None
    for centre, extra in zip(c[:-1].tolist(), added.tolist(), strict=True):
        new = rule(w, w - centre + extra, *state, **knobs)
        w, *state = new if isinstance(new, tuple) else (new,)
        ws.append(w)
        if at is not None:
            vs.append(state[at])
    return np.array(ws), np.array(vs) if vs else None


def effective_lr(v, *, lr, eps=0.0, beta2=None, **others):
    """Return what each gradient was multiplied by, lr/(√v + ε), along a run; v: None for a rule without.

    With beta2, v is corrected first, as Adam does.
    """
    if v is None:
        return lr
    if beta2 is not None:
        t = np.arange(1, len(v) + 1).reshape(-1, *[1] * (v.ndim - 1))
        v = v / (1 - beta2**t)
    return lr / (np.sqrt(v) + eps)


def long_run(rule):
    """Return the scene of a rule that follows a moving minimum for 3,000 steps, and of its effective lr.

    The loss is ½(w − c)², and c swings between −1 and 1: data change with the seasons. Each slope has
    noise, and one of them, at step 1,000, is a burst. Knobs: the rule's own, season (steps), noise, burst.
    """
    style = rule_style(rule) | {"marker": ""}

    def build(figure):
        left, right = figure.add_axes((0.075, 0.135, 0.53, 0.77)), figure.add_axes((0.685, 0.135, 0.3, 0.77))
        t = np.arange(STEPS + 1)
        left.set(xlim=(0, STEPS), ylim=(-2, 2), xlabel="step t", ylabel="w")
        minimum = left.plot([], [], color=GROUND, alpha=0.55, linewidth=4, animated=True, label="minimum")[0]
        walk = left.plot([], [], animated=True, label=rule_label(rule), **style | {"linewidth": 1.3})[0]
        left.legend(loc="lower left", ncols=2)
        right.set(xlim=(1, STEPS), ylim=(1e-4, 1e2), xscale="log", yscale="log", xlabel="step t")
        right.set_title("effective lr")
        right.plot(t[1:], 50 / np.sqrt(t[1:]), color=GROUND, linestyle=":", linewidth=1.5)
        right.text(40, 14, "falls like 1/√t", color="#5b6873")
        factor = right.plot([], [], animated=True, **style)[0]
        bursts = [
            ax.axvline(BURST_AT, color=ALERT, linestyle="--", linewidth=1.2, animated=True)
            for ax in (left, right)
        ]
        settings = left.set_title("", fontsize=10, animated=True)

        def move(*, season, noise, burst, **knobs):
            c, added = moving_minimum(season, noise, burst)
            ws, v = follow(rule, c, added, **knobs)
            lrs = np.broadcast_to(effective_lr(v, **knobs), STEPS)
            minimum.set_data(t, c)
            walk.set_data(t, np.clip(np.nan_to_num(ws, nan=3.0), -3, 3))
            factor.set_data(t[1:], np.clip(lrs, 1e-9, 1e9))
            for line in bursts:
                line.set_visible(burst > 0)
            chosen = knobs | {"season": season, "noise": noise, "burst": burst}
            settings.set_text("   ".join(f"{name} {value:.3g}" for name, value in chosen.items()))
            first, last = (np.abs(part).mean() for part in ((ws - c)[1 : season + 1], (ws - c)[-season:]))
            if not last < 1e3:
                return "The walk is lost: its steps overshoot. Try a smaller lr."
            return (
                f"Mean distance to the minimum: {first:.2f} in the first season, {last:.2f} in the last "
                f"(standing still at 0: {2 / np.pi:.2f}). The effective lr went from {lrs[0]:.2g} "
                f"to {lrs[-1]:.2g}."
            )

        return move

    ranges = {"season": (50, 1500), "burst": (0.0, 100.0), "noise": (0.0, 1.0), "eps": (1e-10, 10.0)}
    moving = parts(rule).knobs | {"season": 300, "noise": 0.3, "burst": 0.0}
    return Scene(build, moving, ranges=ranges)
