"""Runs the course's notebooks and tidies them for git, for `optim-lessons publish`.

A published notebook holds its text outputs and small pictures, and nothing that changes from run to run.
"""

import base64
import io
import json
import os
import re
import tempfile

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image
from tqdm import tqdm

from optim_lessons.course.copies.workbook import write_over
from optim_lessons.course.kernels import prepare_environment
from optim_lessons.lab.plots import FINE_STILLS

PICTURE_BYTES = 160_000  # two pixels for each one that is shown
NOTEBOOK_BYTES = 900_000
WIDGET = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 120
MEASURED = "measured"  # the tag of a cell that shows what this machine measured, times for instance
# A memory address, such as <object at 0x7f3c...>, differs in every run.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


class NotPublishable(Exception):
    """What keeps a notebook from being published: where, what, and what to do."""


def publish(path):
    """Run a notebook, tidy it, write it back in one piece, and return whether the file has changed.

    Raises NotPublishable, and leaves the file as it is, if a cell fails, warns or prints a memory address,
    or if a picture or the notebook is too large.
    """
    before = path.read_bytes()
    notebook = read(before)
    run(notebook, path.stem)
    _keep_measured(read(before), notebook)
    after = as_bytes(tidy(notebook))
    if len(after) > NOTEBOOK_BYTES:
        raise NotPublishable(
            f"the notebook has {len(after):,} bytes, the limit is {NOTEBOOK_BYTES:,}: show fewer pictures"
        )
    if after != before:
        write_over(path, after)
    return after != before


def read(data):
    """Return the notebook in these bytes; a cell without an id gets one from its place, not from chance."""
    content = json.loads(data)
    taken = {cell.get("id") for cell in content["cells"]}
    for place, cell in enumerate(content["cells"]):
        fresh = f"cell-{place:02d}"
        cell.setdefault("id", f"{fresh}-new" if fresh in taken else fresh)
    content |= {"nbformat": 4, "nbformat_minor": 5}
    return nbformat.reads(json.dumps(content), as_version=4)


def as_bytes(notebook):
    """Return the notebook as the file that JupyterLab would save, on every system the same."""
    return (nbformat.writes(notebook) + "\n").encode()


def run(notebook, name=""):
    """Run all cells in an empty folder, away from the user's IPython settings, with a progress bar."""
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(notebook.cells), desc=name) as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            force_raise_errors=True,
            record_timing=False,
            store_widget_state=False,
            on_cell_complete=lambda **_: bar.update(),
        )
        settings = tempfile.TemporaryDirectory()
        environment = os.environ | {"IPYTHONDIR": settings.name, FINE_STILLS: "1"}
        environment.pop("MPLBACKEND", None)
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            raise NotPublishable(f"a cell fails: mend it.\n{error}") from None
        except (CellTimeoutError, DeadKernelError) as error:
            raise NotPublishable(f"a cell takes over {CELL_SECONDS} s or ends the kernel: {error}") from None
        finally:
            settings.cleanup()


def _keep_measured(before, after):
    """Give cells tagged "measured" their stored outputs back, which another run or machine would change.

    A cell whose outputs were cleared is measured anew.
    """
    stored = {cell.id: cell.get("outputs") for cell in before.cells}
    for cell in after.cells:
        outputs = stored.get(cell.id)
        if outputs and MEASURED in cell.metadata.get("tags", []):
            cell.outputs = outputs
            for output in outputs:
                if output.output_type == "execute_result":
                    output.execution_count = cell.execution_count


def tidy(notebook):
    """Return the notebook without what a machine or a run has left in it, its pictures made small."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    count = 0
    for place, cell in enumerate(notebook.cells):
        where = f"cell {place} ({cell.id})"
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter", "slideshow")}
        )
        for bundle in cell.get("attachments", {}).values():
            _tidy_bundle(bundle, where)
        if cell.cell_type != "code":
            continue
        count += 1
        if cell.execution_count != count:
            raise NotPublishable(
                f"{where} has the count {cell.execution_count} where {count} is due: "
                "an empty cell has none, remove it; else run the notebook from top to bottom"
            )
        cell.outputs = [output for output in _joined(cell.outputs) if not _is_bar(output)]
        for output in cell.outputs:
            _tidy_output(output, where)
    return notebook


def _joined(outputs):
    """Join the pieces of a printed text: how it comes in pieces depends on the machine's speed."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" == last.get("output_type") and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _is_bar(output):
    """Return whether an output is a progress bar and nothing else: it shows how fast a machine was."""
    if output.output_type != "stream" or output.name != "stderr":
        return False
    return all(re.fullmatch(r"(\s*\d+%\|.*)?", line) for line in re.split(r"[\r\n]", output.text))


def _tidy_output(output, where):
    if output.output_type == "error":
        raise NotPublishable(f"{where} ends in an error: {output.ename}: {output.evalue}")
    if output.output_type == "stream":
        if output.name == "stderr":
            raise NotPublishable(
                f"{where} writes to stderr, as a warning does; mend its cause:\n{output.text}"
            )
        texts = [output.text]
    else:
        _tidy_bundle(output.data, where)
        texts = [value for mime, value in output.data.items() if mime.startswith("text/")]
    for text in texts:
        if found := _ADDRESS.search(text):
            raise NotPublishable(
                f"{where} prints the memory address {found[0]}, another one in every run: "
                "show something else, or end the line with a semicolon"
            )


def _tidy_bundle(data, where):
    data.pop(WIDGET, None)
    for mime in [mime for mime in data if mime.startswith("image/")]:
        if mime == "image/png":
            data[mime] = base64.b64encode(small_png(base64.b64decode(data[mime]))).decode()
        picture = data[mime].encode() if mime == "image/svg+xml" else base64.b64decode(data[mime])
        if len(picture) > PICTURE_BYTES:
            raise NotPublishable(
                f"{where} holds a picture ({mime}) of {len(picture):,} bytes, the limit is "
                f"{PICTURE_BYTES:,}: make the figure smaller or draw less in it"
            )


def small_png(data):
    """Return a PNG with the fewest colours (256, 128, ..., 16) below the limit needs; same input, same bytes.

    A PNG that has a palette and is small enough comes back unchanged.
    """
    picture = Image.open(io.BytesIO(data))
    if picture.mode == "P" and len(data) <= PICTURE_BYTES:
        return data
    if picture.mode != "RGB":  # transparent parts become white, as on the page
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    for colours in (256, 128, 64, 32, 16):
        file = io.BytesIO()
        few = picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() <= PICTURE_BYTES:
            break
    return file.getvalue()
