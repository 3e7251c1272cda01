"""What pictures of walks say in words. page/reading.js says the same; a test holds them together."""

import numpy as np

from optim_lessons.lab.plots import counted, inside

ROUNDING = 1e-12  # what is lower has arrived, and has no rank


def reading(name, ws, losses, landscape):
    """Say in words how the path of a rule, shape (steps + 1, 2), went on a landscape."""
    box, (x_unit, y_unit, height, unit) = landscape.box, landscape.units
    steps = len(ws) - 1
    lost = np.flatnonzero(~(np.isfinite(ws).all(axis=-1) & np.isfinite(losses)))
    out = inside(ws, box)
    if lost.size:
        return (
            f"{name} left the picture at step {out} and the finite numbers at step {lost[0]}. "
            "Each step overshoots more than the last: try a smaller lr."
        )
    x, y = ws[-1]
    end = (
        f"after {counted(steps, 'step')} the {height} is {losses[-1]:.3g}{unit}, "
        f"at ({x:.3g}{x_unit}, {y:.3g}{y_unit})."
    )
    if out <= steps and unit:
        return (
            f"{name} left the map at step {out}: beyond its edge the land is only mirrored. Try a smaller lr."
        )
    if out <= steps:
        if losses[-1] > losses[0]:
            return f"{name} left the picture at step {out}; {end} The steps overshoot: try a smaller lr."
        back = " and came back" if inside(ws[-1:], box) else ""
        return f"{name} left the picture at step {out}{back}; {end}"
    return f"{name}: {end}"


def race_reading(ends, steps, judged, measure):
    """Say in words who is ahead in a race.

    ends: label → worst of the last losses, None for who left the map.  judged: how many losses those are.
    measure: what they are, such as "loss above the minimum".
    """
    arrived = {label: loss for label, loss in ends.items() if loss is not None}
    order = sorted(arrived, key=lambda label: max(arrived[label], ROUNDING))
    places = ", ".join(f"{label} {_height(arrived[label])}" for label in order)
    away = [label for label, loss in ends.items() if loss is None]
    when = f"The {measure} after" if judged == 1 else f"The highest {measure} in the last {judged} of"
    ranks = f"{when} {counted(steps, 'step')}, best first: {places}."
    lost = f"Left the map: {', '.join(away)}."
    return " ".join([ranks] * bool(arrived) + [lost] * bool(away))


def _height(loss):
    return f"below {ROUNDING:g}" if loss < ROUNDING else f"{loss:.3g}"


def map_reading(runs, good, lost, before, after):
    """Say in words how the runs of a map went.

    good, lost: shares of the runs.  before, after: the losses of the run at the cross.
    """
    end = f"ends at loss {after:.3g}" if after > ROUNDING else f"ends below {ROUNDING:g}"
    return (
        f"Of {runs:,} runs {good:.0%} end within 0.001 of the minimum's loss, "
        f"{lost:.0%} end higher than they began (white). "
        f"The run at the cross {end if after <= before else 'is lost'}."
    )


def basins_reading(starts, shares):
    """Say in words where the runs of a map of basins end.  shares: name → share of the starts."""
    found = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return f"Where the {starts:,} starts end: {found}."
