"""References to secrets in an operator's options: resolved once, never written down.

"Bearer ${API_TOKEN}" takes the value of an environment variable, "${file:/run/secrets/token}" the
content of a file without its final line break.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from oracles.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")


def resolve(template: str, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """Fill the references of `template`; the result hides itself from logs.

    Raises BadRequest when a reference leads nowhere, and when there is none at all: a secret
    written in clear does not belong in a configuration file.
    """

    def value(match: re.Match[str]) -> str:
        if match["file"]:
            try:
                return Path(match["file"]).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = type(error).__name__
                raise BadRequest(f"cannot read the file {match['file']} ({reason})") from None
        if not environ.get(match["name"]):
            raise BadRequest(f"the environment variable {match['name']} is not set")
        return environ[match["name"]]

    filled, references = _REFERENCE.subn(value, template)
    if not references:
        raise BadRequest("write a secret as ${NAME} or ${file:/path}, not in clear")
    return SecretStr(filled)
