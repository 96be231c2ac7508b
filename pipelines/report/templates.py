"""The project's page templates."""

from pathlib import Path

import jinja2


def template(folder: Path, name: str) -> jinja2.Template:
    """A template of the folder: texts are escaped, and a name that is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
