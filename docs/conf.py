"""How Sphinx builds the site: `sphinx-build -W docs DIR`. Nothing is executed, nothing is downloaded."""

import shutil
from importlib.metadata import version as version_of
from pathlib import Path

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
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

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
