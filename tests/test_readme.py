"""The README tells the truth: its example, its links, its lesson table and its picture."""

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_the_numbers_beside_it(capsys):
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print.*#\s*(.*)$", example, re.MULTILINE)
    assert printed == promised
    assert len(example.splitlines()) == 10


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", README))
def test_every_link_leads_to_a_file(link):
    assert (ROOT / link).exists()


def test_the_lesson_table_lists_every_lesson():
    listed = re.findall(r"\(notebooks/(.*?)\.ipynb\)", README)
    assert listed == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_the_moving_picture_moves_and_is_small():
    path = ROOT / "assets" / "drag.gif"
    assert path.stat().st_size <= 1_000_000
    with Image.open(path) as picture:
        assert picture.n_frames > 20


def test_the_map_names_every_instrument():
    chart = README.split("## The map")[1].split("## ")[0]
    for module in (ROOT / "optim_lessons" / "lab").glob("[a-z]*.py"):
        assert module.stem in chart, module.stem
