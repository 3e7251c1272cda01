"""Imports run one way: a room leans on what its docstring says, and no file on itself by a detour."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "optim_lessons"
FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}
# Rooms by their names in docstrings; bridge.py stands between the lessons and the lab, in a room of its own.
ROOMS = {name.removesuffix("__init__").rstrip("/") for name in FILES if name.endswith("__init__")} | {
    "bridge"
}


def file_of(module):
    """Return the file of a module, or of a name in a module; None if it is not the course's."""
    package, *parts = module.split(".")
    while package == "optim_lessons":
        for name in ("/".join(parts), "/".join([*parts, "__init__"])):
            if name in FILES:
                return name
        parts.pop()
    return None


def leant_on(name):
    """Return the files that a file imports, wherever in it, the package's own face left out."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports by dots, which this test does not follow"
            found |= {file_of(f"{node.module}.{alias.name}") for alias in node.names}
    return found - {None, "__init__", name}  # the face holds the version, and imports nothing


def room_of(name):
    """Return the innermost room that a file stands in; "" is that of the lessons' modules."""
    return (
        name
        if name in ROOMS
        else max((r for r in ROOMS if f"{name}/".startswith(f"{r}/" if r else "")), key=len)
    )


def said(room):
    """Return what a room's docstring says: what it leans on, and what leans on it."""
    name = room if room in FILES else f"{room}/__init__".lstrip("/")
    text = ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8")))
    lines = [re.search(rf"^{word}: (.*)\.$", text, re.MULTILINE) for word in ("Leans on", "Leaned on by")]
    assert all(lines), (
        f"the docstring of {room or 'optim_lessons'} does not say what it leans on, or what on it"
    )
    return [set(line[1].replace("lesson modules", "").split(", ")) for line in lines]


def holds(room, other):
    """Whether the other room stands in this one."""
    return bool(room) and other.startswith(f"{room}/")


# What a room takes from rooms in it needs no word; what these take from it does.
ARROWS = sorted(
    (own, other, file)
    for name in FILES
    for file in leant_on(name)
    for own, other in [(room_of(name), room_of(file))]
    if own != other and not holds(own, other)
)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_leans_on_what_its_docstring_says_and_on_nothing_else(room):
    allowed, _ = said(room)
    for other, file in {(other, file) for own, other, file in ARROWS if own == room}:
        assert {other, file, other.partition("/")[0]} & allowed, f"{room} leans on {file}"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_whoever_leans_on_a_room_is_named_in_its_docstring(room):
    _, allowed = said(room)
    for own in {own for own, other, _ in ARROWS if other == room and not holds(room, own)}:
        assert {own, own.partition("/")[0]} & allowed, f"{own} leans on {room}"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_no_docstring_names_an_arrow_that_is_gone(room):
    leans, leaned = said(room)
    outgoing = {
        x for own, other, file in ARROWS if own == room for x in (other, file, other.partition("/")[0])
    }
    incoming = {x for own, other, _ in ARROWS if other == room for x in (own, own.partition("/")[0])}
    assert leans - outgoing <= {"nothing but NumPy", "nothing of the course"}
    around = {other for other in ROOMS if holds(other, room)}
    assert leaned - incoming - around <= {"nothing of the course"}


def test_no_file_leans_on_itself_by_a_detour():
    graph = {name: leant_on(name) for name in FILES}
    assert set(TopologicalSorter(graph).static_order()) >= set(FILES) - {"__init__"}


def test_the_reader_of_notebooks_needs_the_standard_library_only():
    import sys

    tree = ast.parse(FILES["course/notebook"].read_text(encoding="utf-8"))
    modules = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {a.name for node in modules if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module for node in modules if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)
