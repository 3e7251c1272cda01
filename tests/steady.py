"""How far a walk is steady: on chaotic ground, whatever rounds in another way walks elsewhere."""

import numpy as np

from optim_lessons.lab.path import path


def steady(rule, grad, start, steps, **knobs):
    """Return the path, and how many of its points stay the same to 1e-13 where its start moves by one ulp."""
    ws = path(rule, grad, start, steps, **knobs)
    same = np.ones(len(ws), bool)
    for nudge in (np.inf, -np.inf):
        nudged = path(rule, grad, np.nextafter(np.asarray(start, float), nudge), steps, **knobs)
        with np.errstate(all="ignore"):
            same &= ~(np.abs(nudged - ws) > 1e-13 * np.maximum(np.abs(ws), 1)).any(axis=-1)
    return ws, len(ws) if same.all() else int(np.argmin(same))
