"""Makes foreign text harmless: printable everywhere, and in alerts such that no chat acts on it.

An application may call itself ``<!channel>``, ``@everyone`` or ``[log in](https://evil.example)``,
and Alertmanager's templates pass that on as it is. What chats and mail readers act upon is
replaced by a look-alike, one character for one, so that a person still reads the name: ``<``,
``>``, ``@`` and ``&`` by their fullwidth forms, the bracket of ``](`` and the colon of ``://`` too.
Dots are left alone (versions and names are full of them), so a bare host name may still become a
link in some clients; it then leads where it says.
"""

from __future__ import annotations

import re

_LOOK_ALIKES = {
    "<": "\N{FULLWIDTH LESS-THAN SIGN}",  # Slack's <!here>, <@U1>, <url|text>; HTML
    ">": "\N{FULLWIDTH GREATER-THAN SIGN}",
    "@": "\N{FULLWIDTH COMMERCIAL AT}",  # @here, @channel, @everyone, @somebody
    "&": "\N{FULLWIDTH AMPERSAND}",  # an entity is one of the above in disguise
    "]": "\N{FULLWIDTH RIGHT SQUARE BRACKET}",  # only where a link's address follows
    ":": "\N{FULLWIDTH COLON}",  # only in ://
}

_ACTIVE = re.compile(r"[<>@&]|\](?=\()|:(?=//)")


def escaped(text: str) -> str:
    r"""Return *text* with each character that cannot be printed as ``\uNNNN``.

    Those are control characters, line ends, bidirectional marks and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def printable(text: str, longest: int = 128) -> str:
    """Return *text* escaped, in at most *longest* characters; what is cut off is an ellipsis."""
    text = escaped(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def harmless(text: str, longest: int = 128) -> str:
    """Return *text* printable, and such that no chat or mail reader acts upon it."""
    return _ACTIVE.sub(lambda found: _LOOK_ALIKES[found[0]], printable(text, longest))
