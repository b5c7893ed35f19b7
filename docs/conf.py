"""How Sphinx builds this documentation: `make docs`."""

project = 'maas-backup-coordinator'
author = 'Canonical Ltd.'

extensions = ['myst_parser']
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = project
html_static_path: list[str] = []

# Headings can be linked to, as they can on GitHub.
myst_heading_anchors = 3
# A link to a page or a heading that is not there is a warning, and a warning fails `make docs`.
nitpicky = True
