"""Sphinx's settings for the documentation: `make docs`."""

import sys
from pathlib import Path

import netlink

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "netlink for Python"
author = "The fastnetlink developers"
copyright = author  # noqa: A001 - Sphinx's name for it
version = release = netlink.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "house_style"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"netlink for Python {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False

# What stands in single backticks in a docstring is a link where it names something documented, else code.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", r".*"),
    # Annotations name types of the standard library, type variables and private classes.
    ("py:class", r".*"),
    ("py:exc", r".*"),
]
