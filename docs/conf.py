"""Settings of the documentation: sphinx -W docs docs/_build/html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for rooms.py

project = "event-brokers"
author = "The event-brokers authors"
copyright = author  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "rooms"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "event-brokers"
myst_heading_anchors = 3
autodoc_typehints = "description"
nitpicky = True
# the other projects' pages are not asked, so that the build needs no network
nitpick_ignore_regex = [
    ("py:.*", r"(?!event_brokers\.).*"),
    # what the kit hands to its checks, and who answers them need not know
    ("py:class", r"event_brokers\.testing\.(subject\.Subject|certificates\.Certificate)"),
]
