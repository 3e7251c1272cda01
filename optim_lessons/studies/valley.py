"""The convex valley of Lessard, Recht and Packard, in which momentum may cycle for ever (lessons 00 and 04).

valley_height(np.array([0.0, 3.3]))      # 0 at the minimum
"""

import numpy as np


def valley_height(w):
    """Return the height of Lessard, Recht and Packard's valley, whose slope is `lessard_recht_packard`."""
    return np.where(w < 1, 12.5 * w**2, np.where(w < 2, w**2 / 2 + 24 * w - 12, 12.5 * w**2 - 24 * w + 36))
