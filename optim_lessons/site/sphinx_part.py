"""What the site adds to Sphinx: formulas for KaTeX, and a description of each page for links and searches."""

import re
from html import escape

_EMPTY_HEADER = re.compile(r"<th([^>]*)>(?:<p>\s*</p>)?</th>")


def setup(app):
    """Join Sphinx."""
    app.add_config_value("lesson_about", {}, "html")
    app.add_config_value("site_address", "", "html")
    app.add_html_math_renderer("for_katex", (_inline, None), (_displayed, None))
    app.connect("builder-inited", _style_of_cells)
    app.connect("html-page-context", _describe)
    app.connect("html-page-context", _empty_corners)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _style_of_cells(app):
    """Put MyST-NB's style sheet before the pages that name its checksum; it comes after them otherwise.

    Without this, a second build changes every page.
    """
    from myst_nb.sphinx_ext import add_global_html_resources  # of the extra

    (app.outdir / "_static").mkdir(parents=True, exist_ok=True)
    add_global_html_resources(app, None)


def _inline(writer, node):
    writer.body.append(f'<span class="ol-math">{escape(node.astext())}</span>')
    raise _skip()


def _displayed(writer, node):
    writer.body.append(f'<div class="ol-math ol-displayed">{escape(node.astext())}</div>')
    raise _skip()


def _skip():
    from docutils.nodes import SkipNode  # of the extra

    return SkipNode()


def _describe(app, page, template, context, doctree):
    """Add a page's title, description and preview picture for whoever links to it."""
    about = app.config.lesson_about.get(page)
    if about is None:
        return
    title, sentence = about
    tags = [
        f'<meta name="description" content="{escape(sentence)}">',
        f'<meta property="og:title" content="{escape(title)}">',
        f'<meta property="og:description" content="{escape(sentence)}">',
        '<meta property="og:type" content="article">',
        '<meta name="twitter:card" content="summary_large_image">',
    ]
    address = app.config.site_address
    if address:  # a preview picture needs a whole address
        tags.append(f'<meta property="og:url" content="{address}{page}.html">')
        tags.append(f'<meta property="og:image" content="{address}_static/preview.png">')
        tags.append('<meta property="og:image:alt" content="Seven rules race on one landscape.">')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def _empty_corners(app, page, template, context, doctree):
    """Make an empty corner of a table a plain cell: it is the header of nothing."""
    if "body" in context:
        context["body"] = _EMPTY_HEADER.sub(r"<td\1></td>", context["body"])
