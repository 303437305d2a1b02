"""The one redactor: everything that may hold a secret passes through it before it is shown or kept.

Secrets that are known are masked wherever they stand. For those that are not, it takes rather too much than too
little: in a URL everything between the first colon and the last ``@`` of a word is taken for the password, because
passwords hold ``@``, ``/`` and ``:`` in real life. Its time is linear in the text: every repetition is possessive or
bounded, or ends a line.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from backbone.domain.arguments import shown
from backbone.domain.text import escaped
from backbone.settings.known import mask_known
from backbone.settings.secrets import MASK

__all__ = ["RedactingFilter", "is_sensitive", "redact", "redact_mapping", "shown_traceback"]

_NAME: Final = (
    r"(?:password|passwd|pwd|passphrase|(?<![a-z])pass(?![a-z])|(?<![a-z0-9])pw(?![a-z0-9])|requirepass|masterauth"
    r"|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key)"
)
_SENSITIVE: Final = re.compile(_NAME, re.IGNORECASE)
_QUOTED: Final = r"""(?:"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+')(?=[\s,;)\]}&]|$)"""
_UNCLOSED: Final = r"""["'][^\n]++"""  # the quote that ends it is missing: then all of the line is taken
# what follows a name and a colon in a sentence, as in "x_passwd: first line names no column", is no value
_PROSE: Final = r"[A-Za-z][A-Za-z_.'-]*+,?[ ][A-Za-z(]"
_ASSIGNED: Final = re.compile(
    rf"""({_NAME}[\w.-]{{0,64}}["']?\s{{0,8}}(?:=|:(?!//|[ ]{_PROSE}))\s{{0,8}})(?:{_QUOTED}|{_UNCLOSED}|\S++)""",
    re.IGNORECASE | re.MULTILINE,
)
_SPOKEN: Final = re.compile(
    rf"""(\b(?:password|passwd|passphrase|requirepass|masterauth|identified[ \t]{{1,8}}by)[ \t]{{1,8}}E?){_QUOTED}""",
    re.IGNORECASE | re.MULTILINE,
)
_A_WORD: Final = (
    r"<|(?:and|by|command|error|failed|for|in|is|has|mechanism|method|not|on|or|request|required|response|server|timed"
    r"|timeout|to|type|was|with|without)\b"
)
_COMMAND: Final = re.compile(
    rf"""(\bAUTH["']?,?[ \t]{{1,8}})(?!{_A_WORD})\S++(?:[ \t]{{1,8}}\S++)?"""
    r"""|(\bIDENTIFIED[ ]BY[ ]|\bSETUSER[ ]\S{1,64}[ ](?:\S{1,64}[ ]){0,8}?[>#]|\brequirepass[ ])\S++"""
)
_AUTHORIZATION: Final = re.compile(
    r"""(authorization["']?\s{0,8}[=:]\s{0,8}["']?(?:(?:basic|bearer|digest|negotiate|token)[ \t]{1,8})?)[^\n]++""",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(bearer[ \t]{1,8})\S++", re.IGNORECASE)
_PAIR: Final = re.compile(
    r"(?<![\w/@:.%+-])((?!mailto:)[\w.%+-]{1,64}:)[^\s@/:'\"]{1,128}@(?=[\w\[][\w.-]*+(?::\d|[^\w:]|$))"
)
_WORD: Final = re.compile(r"\S++")
_SOUND: Final = re.compile(  # a host, and at most a port; or what messages write for one
    r"[^:/?#]*+(?:[/?#]|$)"
    r"|(?:\[[^\]]{0,100}\]|[^:/?#]*+)(?::(?:\d{1,5}|[<{]?port[>}]?|\*)?)?(?:,\S*+)?(?=[/?#,;.)\]}>'\"`]|$)",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(r"([?&]([^=&\s]{1,100})=)([^&\s]*+)")
_SINGLE: Final = re.compile(r"[\w./+-]*+")  # one word without a sign that assigns, addresses or parts holds no pattern
_FAR: Final = 256  # characters in which the end of a password with blanks is looked for


def redact(text: str) -> str:
    """The text without its secrets.

    Known secrets, passwords in URLs (``scheme://user:***@host``), values assigned to password, token, secret, api_key
    and the like, passwords in SQL and in Redis commands, and what follows ``Authorization:`` or ``Bearer`` are replaced
    by ``***``.
    """
    text = mask_known(text)
    if _SINGLE.fullmatch(text):
        return text
    if "://" in text:
        text = _without_passwords_in_urls(text)
    if "@" in text:
        text = _PAIR.sub(rf"\1{MASK}@", text)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    text = _COMMAND.sub(lambda match: f"{match[1] or match[2]}{MASK}", text)
    text = _SPOKEN.sub(rf"\1{MASK}", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def _without_passwords_in_urls(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for match in _WORD.finditer(text):
        if "://" in match[0] and match.start() >= done:
            shown, end = _redact_url(match[0], text[match.end() : match.end() + _FAR])
            pieces += (text[done : match.start()], shown)
            done = match.end() + end
    return "".join((*pieces, text[done:]))


def _redact_url(word: str, following: str) -> tuple[str, int]:
    """A word with a URL in it without the password, and how many characters of what follows belonged to that."""
    scheme, separator, rest = word.partition("://")
    rest = _OPTION.sub(lambda match: f"{match[1]}{MASK}" if is_sensitive(unquote_plus(match[2])) else match[0], rest)
    last = rest.rfind("@")
    if last < 0:
        if _SOUND.match(rest):
            return f"{scheme}{separator}{rest}", 0
        blank, at, _ = following.partition("://")[0].partition("@")  # the password may go on after a blank
        return f"{scheme}{separator}{rest.partition(':')[0]}:{MASK}", len(blank) if at else 0
    colon = rest.find(":", 0, last)
    if colon >= 0:
        return f"{scheme}{separator}{rest[:colon]}:{MASK}{rest[last:]}", 0
    # web services take a lone token where databases take a user
    lone = scheme.lower().endswith(("http", "https"))
    return f"{scheme}{separator}{MASK if lone else rest[:last]}{rest[last:]}", 0


def is_sensitive(name: str) -> bool:
    """Whether a setting, header or key of this name holds a secret."""
    return bool(_SENSITIVE.search(name)) or name.lower() in {"authorization", "proxy-authorization", "cookie"}


def redact_mapping(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without secrets: values of sensitive names are masked, all texts redacted, at any depth."""
    return {
        name: MASK if is_sensitive(str(name)) and value is not None else _redact_value(value)
        for name, value in mapping.items()
    }


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return redact_mapping(value)
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    return value


def shown_traceback(text: str) -> str:
    """A traceback that can be shown: redacted, its lines kept, what would steer a terminal written out."""
    return escaped(redact(text))


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  text and values are foreign, and whoever logs must not fail over them
        return f"{shown(record.msg)} logged with values that do not go into it: {type(error).__name__}"


_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) - {"threadName", "processName", "taskName"}


class RedactingFilter(logging.Filter):
    """Redacts the message, the traceback, the stack and all further texts of each log record; add it to every handler.

    The traceback becomes text here, and the record lets go of the error: a handler that shows the variables of frames
    would show passwords.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; it always passes."""
        record.msg = redact(_message_of(record))
        record.args = None
        for name, value in vars(record).items():
            if name not in _OWN and value is not None:
                setattr(record, name, _redact_value(value))
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
        if record.exc_text:
            record.exc_text = shown_traceback(record.exc_text)
        if record.stack_info:
            record.stack_info = shown_traceback(record.stack_info)
        return True
