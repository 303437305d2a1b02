"""The streams of the process, made safe: closed ones stand open to nowhere, and characters have an ASCII stand-in."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata

__all__ = ["Unwritten", "abandon", "put", "ready"]

_STAND_INS = {
    **dict.fromkeys("─━┄┅╌╍═", "-"),
    **dict.fromkeys("│┃┆┇╎╏║├┤┣┫", "|"),
    **dict.fromkeys("┌┐└┘┬┴┼╭╮╰╯", "+"),
    **dict(zip("└✓✗●○▲↻◌·…→←", "`+x*o!~.-~><", strict=True)),
}


class Unwritten(Exception):
    """Stdout did not take what was written to it; the message says why."""


def ready() -> None:
    """Make the standard streams fit to be written to, whoever started this process.

    A closed descriptor is opened to nowhere, or the next file that is opened, such as the store's, would get what is
    printed. A closed stdout stays one that can't be written to, so that nobody takes an answer that is lost for given.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  as long as the process
    if sys.stdout is None:
        sys.stdout = _Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  print(file=None) means stdout
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="ascii" if _plain() else None, errors="backbone.ascii")


def put(text: str | bytes) -> None:
    """Write to stdout, now; bytes are data, which no terminal's character set changes.

    Raises:
        BrokenPipeError: the reader went away.
        Unwritten: stdout takes nothing.
    """
    data = getattr(sys.stdout, "buffer", None)
    try:
        if isinstance(text, bytes) and data is not None and not sys.stdout.isatty():
            sys.stdout.flush()
            data.write(text)
        elif text:
            sys.stdout.write(text.decode() if isinstance(text, bytes) else text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unwritten(error.strerror or str(error)) from error


def abandon() -> None:
    """Let what stdout did not take go, or the interpreter's end would complain as well."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


class _Closed(io.TextIOBase):
    """A stdout that was closed before the process began."""

    encoding = "utf-8"

    def write(self, _text: str, /) -> int:
        raise OSError(errno.EBADF, "it is closed")


def _plain() -> bool:
    """Whether somebody chose the C locale, whose terminals know ASCII alone; Python itself would write UTF-8 there."""
    chosen = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return chosen in {"C", "POSIX"}


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """For each character that can't be written, one that can: so lines and columns keep their width."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(char: str) -> str:
    known = _STAND_INS.get(char)
    if known is not None:
        return known
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return letters if len(letters) == 1 else "?"


codecs.register_error("backbone.ascii", _stand_in)
