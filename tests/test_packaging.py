"""What is installed is the course, whole, and every list of things is kept in one place only."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from running_lab import free_port, running_lab

import optim_lessons
from optim_lessons.course.copies import workbook
from optim_lessons.lab.shipped import shipped, source_tree

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_in_a_clone_the_notebooks_and_assets_are_those_of_the_source_tree():
    assert source_tree() == ROOT
    assert shipped("notebooks") == ROOT / "notebooks"
    assert shipped("assets") == ROOT / "assets"


def test_conda_and_binder_install_this_package_and_list_no_dependency_a_second_time():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    packages = re.findall(r"^ +- (.+)$", text, flags=re.MULTILINE)
    assert packages == ["conda-forge", "python=3.13", "pip", "pip:", "-e ."]


def test_the_oldest_version_of_each_library_is_the_one_that_the_oldest_run_installs():
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/lowest_versions.py"], capture_output=True, text=True, check=True
    )
    pins = dict(line.split("==") for line in done.stdout.splitlines())
    for wanted in PROJECT["dependencies"]:
        name, version = wanted.split(">=")
        assert pins[name] == version
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("NumPy", "Matplotlib", "ipywidgets", "JupyterLab"):
        assert f"{name} {pins[name.lower()]}" in readme


def test_ci_runs_the_readmes_test_command_as_it_stands_there_in_an_environment_in_the_clone():
    run = (ROOT / ".ci/run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```\n(pip install .* && pytest)\n```$", readme, flags=re.MULTILINE)
    assert command in run
    assert "-m venv --clear .venv\n" in run
    assert "--durations=20" in run


def test_every_place_that_names_the_version_names_the_same_one():
    version = optim_lessons.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / ".github/CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licences_that_the_package_names_travel_with_it():
    assert PROJECT["license"] == "BSD-3-Clause AND CC-BY-4.0"
    assert "BSD 3-Clause" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "CC BY 4.0" in (ROOT / "LICENSE-prose.md").read_text(encoding="utf-8")


def test_a_rule_can_be_imported_where_only_numpy_is():
    heavy = [
        "matplotlib",
        "ipywidgets",
        "IPython",
        "jupyterlab",
        "nbformat",
        "sklearn",
        "PIL",
        "cupy",
        "tqdm",
    ]
    program = f"import sys, optim_lessons.adam; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def build_wheel(source, folder):
    """Build the wheel of a source tree and return its path in a folder."""
    subprocess.run([*PIP, "wheel", "-q", "--no-deps", "-w", str(folder), str(source)], check=True)
    return max(folder.glob("*.whl"), key=os.path.getmtime)


def install(python, wheel):
    """Install a wheel alone where another interpreter finds it."""
    subprocess.run([*PIP, "--python", str(python), "install", "-q", "--no-deps", str(wheel)], check=True)


def new_environment(folder):
    """Make an environment that cannot see the source tree; return its interpreter."""
    venv.create(folder / "venv", with_pip=False)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    (python,) = (path for path in scripts.glob("python*") if path.stem == "python")
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # The dependencies of these tests serve here too; an editable install's own .pth file is not followed.
    others = [path for path in sys.path if path.endswith("site-packages")]
    (Path(site) / "dependencies.pth").write_text("\n".join(others), encoding="utf-8")
    return python


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel, install it where the source tree cannot be seen; return (python, command)."""
    folder = tmp_path_factory.mktemp("wheel")
    python = new_environment(folder)
    install(python, build_wheel(ROOT, folder))
    return python, next(python.parent.glob("optim-lessons*"))


@pytest.mark.slow
def test_the_wheel_holds_every_notebook_and_asset_and_finds_them(installed):
    python, _ = installed
    program = """
import json
from optim_lessons.lab.shipped import shipped, source_tree
names = {kind: sorted(p.name for p in shipped(kind).glob("[!._]*")) for kind in ("notebooks", "assets")}
print(json.dumps([str(source_tree()), str(shipped("notebooks")), names]))
"""
    done = subprocess.run(
        [str(python), "-I", "-c", program], capture_output=True, text=True, check=True, cwd=python.parent
    )
    tree, folder, names = json.loads(done.stdout)
    assert tree == "None"
    assert Path(folder).is_relative_to(python.parent.parent)
    for kind in ("notebooks", "assets"):
        assert names[kind] == sorted(p.name for p in (ROOT / kind).glob("[!._]*"))
    package = Path(folder).parent
    typed = sorted(p.name for p in package.glob("*.pyi")), (package / "py.typed").is_file()
    assert typed == (sorted(p.name for p in (ROOT / "optim_lessons").glob("*.pyi")), True)


@pytest.mark.slow
def test_the_package_names_an_address_only_where_somebody_gives_one(tmp_path, monkeypatch):
    def said():
        with zipfile.ZipFile(build_wheel(ROOT, tmp_path)) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return wheel.read(name).decode()

    monkeypatch.delenv("OPTIM_LESSONS_URL", raising=False)
    about = said()
    assert "\nProject-URL: " not in about
    assert about.replace("\r\n", "\n").endswith((ROOT / "README.md").read_text(encoding="utf-8"))
    monkeypatch.setenv("OPTIM_LESSONS_URL", "https://example.org/a/b/")
    about = said()
    assert "Project-URL: Homepage, https://example.org/a/b\n" in about
    assert "](https://example.org/a/b/raw/main/assets/drag.gif)" in about
    assert "](https://example.org/a/b/blob/main/notebooks/01_gradient_descent.ipynb)" in about
    assert re.findall(r"\]\((?!https://example\.org/)[^)]*\)", about) == []


@pytest.mark.slow
def test_an_installed_course_opens_in_any_folder_and_a_second_start_keeps_the_answers(
    installed, tmp_path, jupyter_environment
):
    _, command = installed
    here = tmp_path / "Übungen für Zoë" / "a b"
    here.mkdir(parents=True)
    folder = here / "optim-lessons-course"
    lesson = folder / "00_start_here.ipynb"
    mine = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    for start in (1, 2):
        arguments = [str(command), "--no-browser", "--port", free_port()]
        with running_lab(arguments, folder, jupyter_environment, cwd=here) as server:
            with urllib.request.urlopen(server.url, timeout=30) as page:
                assert page.status == 200
            assert server.ask(f"api/contents/{lesson.name}").status == 200
            if start == 1:
                shipped = (ROOT / "notebooks" / lesson.name).read_bytes()
                assert lesson.read_bytes() == workbook.as_opened(shipped)
                lesson.write_text(mine)
            assert lesson.read_text() == mine


def build_edition(folder, version, line):
    """Build a wheel of the course as another version, with a line more in two lessons; return its path."""
    source = folder / f"source {version}"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("optim_lessons", "notebooks", "assets"):
        shutil.copytree(ROOT / name, source / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-prose.md", ".ci/metadata.py"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    about = source / "optim_lessons" / "__init__.py"
    text = about.read_text(encoding="utf-8")
    about.write_text(text.replace(f'"{optim_lessons.__version__}"', f'"{version}"'), encoding="utf-8")
    for lesson in ("01_gradient_descent", "02_landscapes"):
        path = source / "notebooks" / f"{lesson}.ipynb"
        notebook = json.loads(path.read_bytes())
        notebook["cells"][0]["source"] += [f"\n\n{line}"]
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False), encoding="utf-8")
    return build_wheel(source, folder)


@pytest.mark.slow
def test_an_upgrade_of_the_installed_course_keeps_what_was_edited_and_puts_the_new_edition_beside(
    tmp_path, jupyter_environment
):
    python = new_environment(tmp_path)
    folder = tmp_path / "optim-lessons-course"
    lesson = folder / "01_gradient_descent.ipynb"

    def start():
        (command,) = python.parent.glob("optim-lessons*")
        arguments = [str(command), "--no-browser", "--port", free_port()]
        with running_lab(arguments, folder, jupyter_environment, cwd=tmp_path) as server:
            return server.said()

    install(python, build_edition(tmp_path, "7.0.0", "The seventh."))
    lessons = len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert f"{lessons} new, 0 kept" in start()
    notebook = json.loads(lesson.read_bytes())
    answer = next(cell for cell in notebook["cells"] if cell["source"] == ["largest_lr = ..."])
    answer["source"] = ["largest_lr = 0.05"]
    lesson.write_text(json.dumps(notebook))
    mine = lesson.read_bytes()

    install(python, build_edition(tmp_path, "7.1.0", "The eighth."))
    said = start()
    assert f"(0 new, 1 replaced, {lessons - 1} kept)" in said
    assert "The new one is beside it: 01_gradient_descent-new-7.1.0.ipynb" in said
    assert lesson.read_bytes() == mine
    assert "The eighth." in (folder / "02_landscapes.ipynb").read_text(encoding="utf-8")
    new = (folder / "01_gradient_descent-new-7.1.0.ipynb").read_text(encoding="utf-8")
    assert "The eighth." in new
    assert "largest_lr = 0.05" in new
    assert "+ The eighth." in (folder / "01_gradient_descent-new-7.1.0.md").read_text(encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    assert f"(0 new, {len(workbook.lessons())} kept)" in start()
    assert {path.name: path.read_bytes() for path in folder.glob("[!.]*")} == before
