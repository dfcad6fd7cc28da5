"""Everything that can go wrong in a way a user can mend, with the exit code that a script sees.

::

    MakegoodError            1  something failed
    ├── ConfigurationError   3  a document or a configuration is wrong; nothing was done
    ├── KeyUnavailable       4  a key is missing, locked or not the one that is needed
    ├── ChainUnavailable     5  no answer from the chain, or the wrong chain
    ├── Reverted             6  the contract refused; says with which error
    ├── ChecksFailed         7  `doctor` or a verification found problems
    └── StoreUnavailable     8  the database cannot be used now (relayer/store/errors.py)

Usage errors exit with 2 (click), Ctrl-C with 130. A message says what is wrong and where; `hint` says what to do next.
"""

from __future__ import annotations


class MakegoodError(Exception):
    """An error that is shown as one message, without a trace.

    :param message: What is wrong, where, and what is allowed.
    :param hint: What to do next, if that is known.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(MakegoodError):
    """A document, a configuration or a command's parameters are wrong."""

    exit_code = 3


class KeyUnavailable(MakegoodError):
    """A key is missing, locked, or not the one that is needed."""

    exit_code = 4


class ChainUnavailable(MakegoodError):
    """The chain does not answer, answers nonsense, or is another chain."""

    exit_code = 5


class Reverted(MakegoodError):
    """A contract refused a call.

    :param error: Name of the contract's own error, e.g. ``SLAEscrow_NotJudged``; None if it gave none.
    :param values: The error's named values.
    """

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        error: str | None = None,
        values: dict[str, object] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.error = error
        self.values = values or {}


class ChecksFailed(MakegoodError):
    """Checks found problems."""

    exit_code = 7
