"""Train the maps and the rivals of lesson 10 and write assets/weight_decay.npz.

    python assets/make_weight_decay.py           # some minutes
    python assets/make_weight_decay.py rivals    # the rivals alone; the maps stay as they are

All seeds are fixed: the same machine writes the same numbers; another one's differ in the last digits, and
where a learning rate is too large, in more.
"""

import sys
import time
from pathlib import Path

import numpy as np

from optim_lessons.studies.overfitting import PARTS, RIVALS, SHOWN, VARIANTS, compete, pixels

OUT = Path(__file__).parent / "weight_decay.npz"


def main():
    """Train every pixel of the three maps, then every rival on its own images."""
    begun, arrays = time.perf_counter(), {"train": [], "validation": [], "seeds": []}
    if sys.argv[1:] == ["rivals"]:
        with np.load(OUT) as stored:
            arrays = {name: stored[name] for name in stored if name != "rivals"}
    for variant in () if "rivals" in sys.argv[1:] else VARIANTS:
        losses = pixels(variant)
        for name in ("train", "validation"):
            arrays[name].append(np.minimum(losses[name][SHOWN].mean(axis=-1), 100))
        arrays["seeds"].append(np.minimum(losses["validation"][-1], 100))
        print(f"{variant}: {time.perf_counter() - begun:.0f} s", flush=True)
    rows = [compete(part) for part in PARTS]
    arrays["rivals"] = [[row[name] for name in RIVALS] for row in rows]
    np.savez_compressed(OUT, **{name: np.asarray(a, dtype=np.float32) for name, a in arrays.items()})
    print(f"{OUT.name}: {OUT.stat().st_size:,} bytes after {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
