"""How Sphinx builds this documentation: `make docs`."""

project = 'maas-backup-coordinator'
author = 'Canonical Ltd.'
copyright = '2026 Canonical Ltd., licensed under Apache-2.0'

extensions = ['myst_parser', 'sphinx_copybutton']
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = project
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False

# Commands name `console`; a block that names no language is plain text, not Python.
highlight_language = 'text'
# The copy button takes the commands, without the prompt and without what they print.
copybutton_prompt_text = r'\$ |> '
copybutton_prompt_is_regexp = True

# Headings can be linked to, as they can on GitHub.
myst_heading_anchors = 3
# A link to a page or a heading that is not there is a warning, and a warning fails `make docs`.
nitpicky = True
