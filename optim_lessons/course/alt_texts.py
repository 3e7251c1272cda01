"""Gives the pictures of exported notebooks their descriptions.

jupyter nbconvert --to html --Exporter.preprocessors=optim_lessons.course.alt_texts.AltTexts 04_momentum.ipynb

A picture of the course holds its sentence in the metadata of its output, which nbconvert's own templates do
not read. html, slides and markdown get it by this preprocessor; other formats stay as they are.
"""

import html

from nbconvert.preprocessors import Preprocessor


class AltTexts(Preprocessor):
    """Adds to each picture with a description the form that shows both: HTML, or Markdown beside a file."""

    def preprocess_cell(self, cell, resources, index):
        """Return the cell with what nbconvert shows in the place of its pictures."""
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("image/png", {})
            if "alt" in about and "image/png" in output.data:
                file = output.metadata.get("filenames", {}).get("image/png")
                if file is None:
                    output.data["text/html"] = _as_html(output.data["image/png"].strip(), about)
                else:
                    output.data["text/markdown"] = _as_markdown(file, about["alt"])
        return cell, resources


def _as_html(picture, about):
    size = "".join(f' {side}="{about[side]}"' for side in ("width", "height") if side in about)
    shown = f'src="data:image/png;base64,{picture}" alt="{html.escape(about["alt"])}"{size}'
    return f'<img {shown} style="max-width: 100%; height: auto">'


def _as_markdown(file, text):
    for sign in "\\[]":
        text = text.replace(sign, f"\\{sign}")
    return f"![{' '.join(text.split())}]({file.replace(' ', '%20')})"
