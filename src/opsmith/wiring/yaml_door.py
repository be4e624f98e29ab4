"""The door for YAML files of the operator: read once, checked, every fault named by its place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from opsmith.errors import BadInput

# Written by hand or by a template; a larger one is another file.
LARGEST_FILE = 1024 * 1024

Shape = TypeVar("Shape", bound=BaseModel)


def checked(path: Path, shape: type[Shape]) -> Shape:
    """What a file says, in its shape; an empty file says nothing.

    Raises `BadInput` with the place of the first thing that is wrong.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{path}: larger than {LARGEST_FILE} bytes.")
        return shape.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: no YAML ({str(error)[:200]}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{path}: {where}: {first['msg']}.") from error
