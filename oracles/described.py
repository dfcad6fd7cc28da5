"""What a message may say of a value that a server sent: what it is, never what it says.

A server may repeat the credentials that it was shown, and whatever is cut to fit into a message may
be cut in the middle of one, where no search finds it any more.
"""

from __future__ import annotations


def described(value: object) -> str:  # noqa: PLR0911 - a table
    """For instance "a text of 72 characters", "a list of 3"; a number stands for itself."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value)
        case int():
            # Python refuses to write numbers of thousands of digits
            return str(value) if value.bit_length() <= 64 else "a number beyond 64 bits"
        case str():
            return f"a text of {len(value)} characters"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)} fields"
        case _:
            return f"a value of the type {type(value).__name__}"
