"""What a rule computes, written down once and put to work in many forms. Lessons use `fused` and `sweep`.

trace.py       calls a rule with stand-ins, which note each operation on a tape
points.py      the same for a whole step of many runs: the gradient and the rule, coordinate by coordinate
kernel.py      prints a tape as C, for a GPU
compiled.py    prints it as a Python loop, for Numba
blocks.py      plays it by NumPy's functions, in blocks that stay in the cache
grounds.py     the tape of a landscape, with its own knobs left open
javascript.py  prints a rule and a landscape for a page

Leans on: lab/knobs.
Leaned on by: studies, pictures.
"""
