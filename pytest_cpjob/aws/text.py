"""Strings as AWS sees them: their characters, even if the test passes a subclass of `str`."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return a string as a plain `str`: the member of a string enum would print as its name.

    >>> type(plain("web"))
    <class 'str'>
    """
    return text if type(text) is str else str.__str__(text)


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8: half of a surrogate pair cannot.

    >>> is_unicode("Zoë"), is_unicode(chr(0xD800))
    (True, False)
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
