"""Files that commands write: never over one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayer.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def check_free(path: Path, option: str) -> None:
    """Refuses a name that is taken and a folder that does not exist, before any work is done.

    :param option: Where another name would be given: "--svg".
    """
    if path.exists() or path.is_symlink():
        raise _taken(path, option)
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"{path} cannot be written: there is no folder {path.parent}",
            hint=f"make it first, or choose another name with {option}",
        )


def write_new(path: Path, text: str, option: str) -> None:
    """Writes a file that must not be there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _taken(path, option) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def _taken(path: Path, option: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is there already, and is not overwritten",
        hint=f"choose another name with {option}",
    )
