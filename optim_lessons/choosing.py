"""Lesson 11: choosing between rules. Draw the trials, choose by validation, compare over seeds, say "tie".

    knobs = draw({"lr": (1e-4, 10.0), "beta": (0.5, 0.99)}, trials=48)
    best = choose(validation_losses)                 # shape (trials, seeds) → the number of a trial
    difference, low, high = paired_bootstrap(a, b)   # two rules, the same seeds

A run that was lost has the loss NaN or infinity; `counted` says what it counts for.
"""

import numpy as np


def draw(ranges, trials, seed=0):
    """Return random trials: knob → values, shape (trials,), each knob log-uniform in its range.

    ranges: knob → (low, high).  A knob whose name begins with beta is drawn by its distance from 1, so that
    0.9 to 0.99 is as likely as 0.99 to 0.999. The same seed gives every rule the same luck: a knob's values
    depend on its own name, its range and the seed, not on the other knobs.
    Raises ValueError for no trials, or a range that is not 0 < low < high.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}: with a budget of nothing there is nothing to choose from")
    values = {}
    for name, (low, high) in ranges.items():
        near_one = name.startswith("beta")
        ends = (1 - high, 1 - low) if near_one else (low, high)
        if not 0 < ends[0] < ends[1]:
            raise ValueError(
                f"{name} runs from {low:g} to {high:g}: a log-uniform range is "
                f"0 {'≤' if near_one else '<'} low < high{' < 1' if near_one else ''}"
            )
        rng = np.random.default_rng([seed, *name.encode()])
        drawn = np.exp(rng.uniform(*np.log(ends), size=trials))
        values[name] = 1 - drawn if near_one else drawn
    return values


def counted(losses, start):
    """Return the losses as they count: a run that was lost, or ends above its start, counts as the start.

    Nobody has to use a model that training made worse.
    """
    losses = np.asarray(losses, float)
    return np.where(np.isfinite(losses), np.minimum(losses, start), start)


def choose(losses):
    """Return the number of the trial with the lowest mean loss over the seeds; None if each lost a run.

    losses: on the *validation* part, shape (trials, seeds). A trial that lost a run is not chosen.
    """
    means = np.mean(losses, axis=-1)
    means = np.where(np.isfinite(means), means, np.inf)
    return int(np.argmin(means)) if np.isfinite(means).any() else None


def time_to_target(losses, target):
    """Return the first row at or below the target, per run; infinity for a run that never gets there.

    losses: shape (rows, ...), one row per epoch, the start first.
    """
    reached = np.asarray(losses) <= target
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.inf)


def paired_bootstrap(a, b, *, level=0.95, draws=10_000, seed=0):
    """Return the mean difference a − b of two rules over the same seeds, and the ends of its interval.

    a, b: one loss per seed, shape (seeds,), in the same order. The pairs are drawn again with replacement,
    `draws` times; the interval holds the middle `level` of the means. If 0 is inside, call it a tie.
    Source: Efron 1979, https://doi.org/10.1214/aos/1176344552
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    rng = np.random.default_rng(seed)
    again = rng.integers(len(differences), size=(draws, len(differences)))
    means = differences[again].mean(axis=1)
    tail = (1 - level) / 2
    return differences.mean(), *np.quantile(means, [tail, 1 - tail])


def best_and_ties(losses, **options):
    """Return the names that share the first place: the lowest mean loss, and all that tie with it.

    losses: name → one loss per seed. A tie is an interval of `paired_bootstrap` that holds 0.
    """
    best = min(losses, key=lambda name: np.mean(losses[name]))
    intervals = {name: paired_bootstrap(losses[name], losses[best], **options)[1:] for name in losses}
    return [best, *(name for name, (low, _) in intervals.items() if low <= 0 and name != best)]


def expected_best(losses, k):
    """Return the mean of the best loss out of k trials, drawn again from the ones that were run.

    losses: one per trial, shape (trials,).  k: a whole number, or an array of them.
    The i-th lowest of n is the best of k with probability ((n−i+1)/n)ᵏ − ((n−i)/n)ᵏ.
    Source: Dodge and others 2019, https://arxiv.org/abs/1909.03004
    """
    ordered = np.sort(losses)
    left = np.arange(len(ordered), -1, -1) / len(ordered)
    chance = -np.diff(left ** np.asarray(k)[..., None])
    return chance @ ordered


def best_quantile(losses, k, q):
    """Return the loss that the best of k trials, drawn again, stays at or below with probability q."""
    n = len(losses)
    chance = 1 - (1 - np.arange(1, n + 1) / n) ** np.asarray(k)[..., None]
    return np.sort(losses)[np.argmax(chance >= q - 1e-12, axis=-1)]


def good_width(lrs, losses, factor=1.1):
    """Return how many decades of lr are good: the loss is at most `factor` times the lowest one.

    lrs: rising, shape (k,).  losses: shape (k,), above 0.  Between two lrs the logarithms go in a line.
    Only the stretch around the best lr counts.
    """
    x, y = np.log10(lrs), np.log(losses) - np.log(np.min(losses)) - np.log(factor)
    best = int(np.argmin(y))
    return _reach(x[best:], y[best:]) + _reach(-x[best::-1], y[best::-1])


def _reach(x, y):
    """Return how far along x the line from y[0] < 0 gets before it crosses 0."""
    out = np.flatnonzero(y > 0)
    if out.size == 0:
        return x[-1] - x[0]
    i = out[0]
    return x[i - 1] - x[0] + (x[i] - x[i - 1]) * y[i - 1] / (y[i - 1] - y[i])


def winner_shares(losses, k, *, draws=2000, seed=0):
    """Return how often each rule would win if its k trials were drawn again: name → share of the draws.

    losses: name → one loss per trial, on the validation part. A draw takes the same trials of every
    rule, with replacement, as all had the same luck. The rule with the lowest of them wins the draw.
    """
    values = np.array(list(losses.values()))
    again = np.random.default_rng(seed).integers(values.shape[1], size=(draws, k))
    winners = values[:, again].min(axis=2).argmin(axis=0)
    return {name: float(np.mean(winners == i)) for i, name in enumerate(losses)}
