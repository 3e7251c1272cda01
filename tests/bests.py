"""Run the cells of a notebook, and print as JSON the best values at an end of their range that it chose.

python bests.py lesson.ipynb      # [[id of a cell, "lr 126, the highest of 81 tried"], ...]
"""

import json
import sys

import joblib
import nbformat
import nudged

from optim_lessons.lab.fair import every_best


def main(path):
    nudged.without_pictures()
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = []
    with joblib.parallel_config("sequential"):  # what other processes choose would not be heard
        for cell in cells:
            with every_best() as heard:
                _, failed, *_ = nudged.words([cell])[0]
            assert not failed, f"{cell.id}: {failed}"
            found += [[cell.id, str(best)] for best in heard if best.at_edge]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
