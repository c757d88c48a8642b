"""How Sphinx builds the site: `sphinx-build -W docs DIR`. Nothing is executed, nothing is downloaded."""

import re
import shutil
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from sphinx.pycode import ModuleAnalyzer

import jaxhpo

HERE = Path(__file__).parent

# Notebooks live in `examples`, where Colab opens them; Sphinx reads only what lies in its own folder.
for notebook in (HERE.parent / "examples").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "tutorials")

project = "jaxhpo"
author = "The jaxhpo developers"
copyright = "The jaxhpo developers"  # noqa: A001 - Sphinx's name
version = release = version_of("jaxhpo")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

# --- pages ---------------------------------------------------------------------------------------------------------

nb_execution_mode = "off"  # the tests execute notebooks and snippets
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = False

# --- docstrings ----------------------------------------------------------------------------------------------------

default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes in a list, as arguments are
napoleon_use_rtype = False
napoleon_attr_annotations = False  # the signature has the types
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 70  # a longer signature has an argument a line

_PUBLIC = {name: f"jaxhpo.{name}" for name in jaxhpo.__all__}
_PUBLIC |= {name: f"jaxhpo.data.{name}" for name in jaxhpo.data.__all__}
_NAMES = "|".join(name for name in _PUBLIC if name[0].isupper() or "_" in name[1:])  # no words such as `data`
_QUOTED = re.compile(rf"(?<!`)`(?:(jaxhpo\.[\w.]+)|({_NAMES})(\.\w+)?)`(?!`)")


def keep_colons(_app: Any, what: str, _name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    """Begin an attribute's text with an empty comment, or Napoleon takes what precedes its first colon for a type."""
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]


def link_names(_app: Any, _what: str, _name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    """Make links of public names in docstrings: `Space`, `Study.run`, `jaxhpo.data.load`."""

    def link(found: re.Match[str]) -> str:
        full, name, member = found.groups()
        target = full or _PUBLIC[name] + (member or "")
        return f":py:obj:`{full or name + (member or '')} <{target}>`"

    lines[:] = [_QUOTED.sub(link, line) for line in lines]


_MODULES = re.compile(r"~?\b(?:[a-z_]\w*\.)+(?=[A-Z])")  # of a class: jax.jaxlib._jax. of Array


def shorten_types(
    _app: Any, _what: str, _name: str, _of: Any, _options: Any, signature: str | None, result: Any
) -> Any:
    """Write the classes of a signature without their modules."""
    return signature and _MODULES.sub("", signature), result and _MODULES.sub("", result)


def setup(app: Any) -> None:
    """Add what the reference needs."""
    read = ModuleAnalyzer.analyze

    def analyze(self: ModuleAnalyzer) -> None:
        read(self)
        self.overloads = {}  # they have `**options` where `tune` has its arguments

    ModuleAnalyzer.analyze = analyze
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # Napoleon has 500
    app.connect("autodoc-process-docstring", link_names)
    app.connect("autodoc-process-signature", shorten_types)


# --- the theme -----------------------------------------------------------------------------------------------------

html_theme = "sphinx_book_theme"
html_title = "jaxhpo"
html_static_path = ["_static"]
html_css_files = ["jaxhpo.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "repository_url": "https://github.com/jaxhpo/jaxhpo",
    "use_repository_button": True,
    "use_download_button": False,
    "show_toc_level": 2,
    "navbar_start": [],  # the sidebar has the title and the search
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "show_navbar_depth": 1,
}
