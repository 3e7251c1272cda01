"""Type checkers are told what functions take and return: those of lessons in stubs, those of lab in place."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from discovery import RULES, lesson_modules, sees_matrices

import optim_lessons

PACKAGE = Path(optim_lessons.__file__).parent
STUBS = {path.stem: path for path in PACKAGE.glob("[!_]*.pyi")}


def checked(*command):
    """Run a type checker's command, from where the settings are, and have it find nothing."""
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_lesson_s_module_has_a_stub_and_the_package_says_that_it_is_typed():
    assert {f"optim_lessons.{name}" for name in STUBS} == {module.__name__ for module in lesson_modules()}
    assert (PACKAGE / "py.typed").is_file()


def test_the_stubs_name_what_the_modules_hold_with_the_same_parameters_and_defaults():
    checked("mypy.stubtest", *(f"optim_lessons.{name}" for name in sorted(STUBS)))


def test_lab_does_what_its_own_annotations_say():
    checked("mypy")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_s_stub_names_as_many_results_as_the_rule_returns(rule):
    tree = ast.parse(STUBS[rule.__module__.rpartition(".")[2]].read_text(encoding="utf-8"))
    (stub,) = (node for node in tree.body if getattr(node, "name", "") == rule.__name__)
    named = ast.unparse(stub.returns).removeprefix("tuple[").removesuffix("]").split(", ")
    w = np.ones((2, 2) if sees_matrices(rule) else 2)
    new = rule(w, w)
    new = new if isinstance(new, tuple) else (new,)
    assert len(named) == len(new)
    for name, x in zip(named, new, strict=True):
        assert name in ("Number", "Array" if isinstance(x, np.ndarray) else "int")
