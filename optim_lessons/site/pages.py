"""The course's notebooks as Sphinx's sources: stills with their sentences, live figures, questions, links."""

import base64
import hashlib
import html
import io
import json
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import nbformat
from PIL import Image, ImageOps

from optim_lessons.course.copies.workbook import pristine
from optim_lessons.course.notebook import prose
from optim_lessons.lab import page
from optim_lessons.lab.shipped import shipped
from optim_lessons.site import questions

HERE = Path(__file__).parent
STATIC = HERE / "static"
_LINK = re.compile(r"\[([^\]]*)\]\((\d\d_\w+)\.ipynb[^)]*\)")
PREVIEW = (1200, 630)  # pixels, as who shows links asks for
ABOUT = "A live course on optimizers: drag a learning rate, watch the walk change, write the rule yourself."


class Lesson(NamedTuple):
    """What the start page and the head of a page say of a lesson."""

    name: str
    title: str
    about: str  # a sentence, plain


def about_lesson(name):
    """Return a Lesson from the first cell of its notebook."""
    first = prose(pristine(name))[0]
    title = first.splitlines()[0].lstrip("# ").strip()
    said = re.search(r"\*\*You will\*\* (.*)", first)
    return Lesson(name, title, plain("You " + said[1]) if said else ABOUT)


def plain(text):
    """Return a line of Markdown as plain text."""
    return re.sub(r"[*`]|\$", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).strip()


def write_lesson(lesson, recordings, folder, repository, lessons):
    """Write a lesson's page and what it shows into the folder of Sphinx's sources.

    recordings: cell id → path.  repository: "owner/name" on GitHub, or None.  lessons: those of the site.
    """
    notebook = nbformat.reads(pristine(lesson), as_version=4)
    asked = [questions.asked(cell.source) if cell.cell_type == "code" else None for cell in notebook.cells]
    # A cell that holds nothing but the place of a letter: buttons stand for it.
    places = {f"{one.name} = ..." for one in asked if one is not None and one.kind == "choice"}
    cells = []
    for cell, exercise in zip(notebook.cells, asked, strict=True):
        if cell.cell_type == "markdown":
            cell.source = _without_dead_links(cell.source, lessons)
        if cell.cell_type == "code" and cell.source.strip() in places:
            continue
        if exercise is not None and exercise.kind == "choice":
            cells.append(_markdown_cell(questions.buttons(exercise)))
            continue
        if exercise is not None:
            cell.outputs = [_shown(questions.in_lab(exercise))]
        elif cell.cell_type == "code":
            cell.outputs = [
                _output(lesson, cell, output, i, recordings, folder) for i, output in enumerate(cell.outputs)
            ]
        cells.append(cell)
        if len(cells) == 1:
            cells.append(_markdown_cell(ways(lesson, repository)))
    notebook.cells = cells
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    _write(folder / f"{lesson}.ipynb", nbformat.writes(notebook))
    answers = json.dumps(questions.answers(lesson), ensure_ascii=False)
    _write(folder / f"_static/answers/{lesson[:2]}.js", f"optimLessons.answers({answers});\n")


def _without_dead_links(text, lessons):
    """Return Markdown in which links to lessons that the site lacks are words."""
    return _LINK.sub(lambda link: link[0] if link[2] in lessons else link[1], text)


def _markdown_cell(text):
    return nbformat.v4.new_markdown_cell(text)


def _shown(text):
    return nbformat.v4.new_output("display_data", {"text/html": text})


def _output(lesson, cell, output, number, recordings, folder):
    """Return an output as the page shows it: pictures get their sentence, explorers become live."""
    data = output.get("data", {})
    if "image/png" not in data:
        return output
    about = output.metadata.get("image/png", {})
    name = f"{lesson[:2]}-{cell.id}" + (f"-{number}" if number else "")
    still = f"_static/stills/{name}.png"
    _write(folder / still, base64.b64decode(data["image/png"]))
    recording = recordings.get(cell.id)
    if recording is None:
        return _shown(f'<figure class="ol-plain">{image(still, about)}</figure>')
    write_recording(recording, name, folder)
    return _shown(figure(name, recording, about))


def write_recording(recording, name, folder):
    """Write what a live figure needs into the folder of Sphinx's sources, as a script."""
    data = base64.b64encode(recording.read_bytes()).decode()
    _write(folder / f"_static/explorers/{name}.js", f'optimLessons.frames("{name}", "{data}");\n')


def image(still, about, lazy=True):
    """Return a still as HTML."""
    size = "".join(f' {side}="{about[side]}"' for side in ("width", "height") if side in about)
    when = ' loading="lazy" decoding="async"' if lazy else ""
    return f'<img src="{still}" alt="{html.escape(about.get("alt", ""))}"{size}{when}>'


def figure(name, recording, about, lazy=True, play=False):
    """Return a live figure as HTML: its still and its sentence first, and where its frames are."""
    version = hashlib.sha256(recording.read_bytes()).hexdigest()[:8]
    source = f"_static/explorers/{name}.js?{version}"
    plays = ' data-play="once"' if play else ""
    return (
        f'<figure class="ol-figure" id="{name}" data-frames="{source}"{plays}>'
        f'<div class="optim-lessons-explorer" role="group" aria-label="live picture with controls">'
        f'<div class="ol-picture">{image(f"_static/stills/{name}.png", about, lazy)}</div>'
        f'<p class="ol-sentence">{html.escape(about.get("alt", ""))}</p></div>'
        '<p class="ol-note" role="status"></p></figure>'
    )


def ways(lesson, repository):
    """Return the links from a lesson's page to its notebook, as HTML."""
    links = [(f"notebooks/{lesson}.ipynb", "Download the notebook", " download")]
    if repository:
        file = f"notebooks/{lesson}.ipynb"
        binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath="
        links += [
            (
                binder + quote(f"lab/tree/{file}", safe=""),
                "Binder",
                "",
            ),
            (f"https://colab.research.google.com/github/{repository}/blob/HEAD/{file}", "Colab", ""),
            (f"https://github.com/{repository}/blob/HEAD/{file}", "Source", ""),
        ]
    shown = " · ".join(f'<a href="{address}"{how}>{words}</a>' for address, words, how in links)
    return (
        '<p class="ol-ways">The pictures of this page are live as it stands; <i>Run All Cells</i> is for the '
        f"notebook, in JupyterLab. {shown}</p>"
    )


def write_start(lessons, recordings, folder, repository):
    """Write the start page: the race on top, how to install, the lessons."""
    race = next(
        (cell, output)
        for cell in nbformat.reads(pristine("00_start_here"), as_version=4).cells
        if cell.cell_type == "code" and "race()" in cell.source
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    )
    cell, output = race
    about = output.metadata.get("image/png", {})
    name = f"00-{cell.id}"
    still = base64.b64decode(output.data["image/png"])
    _write(folder / f"_static/stills/{name}.png", still)
    _write(folder / "_static/preview.png", preview(still))
    write_recording(recordings[cell.id], name, folder)
    clone = (
        f"git clone https://github.com/{repository} && cd {repository.split('/')[1]}\n" if repository else ""
    )
    rows = "\n".join(f"| [{lesson.title}]({lesson.name}.ipynb) | {lesson.about} |" for lesson in lessons)
    entries = "\n".join(lesson.name for lesson in lessons)
    text = (HERE / "start.md").read_text(encoding="utf-8")
    for word, value in {
        "RACE": figure(name, recordings[cell.id], about, lazy=False, play=True),
        "CLONE": clone,
        "ROWS": rows,
        "ENTRIES": entries,
    }.items():
        text = text.replace(f"@{word}@", value)
    _write(folder / "index.md", text)


def preview(still):
    """Return a picture for links to the site, from a still."""
    with Image.open(io.BytesIO(still)) as image:
        padded = ImageOps.pad(image.convert("RGB"), PREVIEW, color="white")
    file = io.BytesIO()
    padded.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def write_static(folder):
    """Write the scripts and style sheets that all pages share."""
    static = folder / "_static"
    script = (
        f'"use strict";\n(() => {{\n{page.script()}{(STATIC / "site.js").read_text(encoding="utf-8")}}})();\n'
    )
    _write(static / "explorers.js", script)
    _write(static / "loader.js", (STATIC / "loader.js").read_text(encoding="utf-8"))
    _write(static / "favicon.svg", (STATIC / "favicon.svg").read_text(encoding="utf-8"))
    _write(static / "site.css", page.style() + (STATIC / "site.css").read_text(encoding="utf-8"))


def write_extra(lessons, folder):
    """Write what stands beside the pages as it is: the notebooks and the summary sheet."""
    for lesson in lessons:
        _write(folder / f"notebooks/{lesson}.ipynb", pristine(lesson))
    for sheet in ("summary_sheet.html", "summary_sheet.pdf"):
        _write(folder / sheet, (shipped("assets") / sheet).read_bytes())
    _write(folder / ".nojekyll", "")


def _write(path, content):
    """Write a file unless it holds this already, so that Sphinx sees what has changed."""
    data = content if isinstance(content, bytes) else content.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
