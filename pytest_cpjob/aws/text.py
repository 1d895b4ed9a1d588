"""What a string is to AWS: its characters, whatever class of string a test has them in."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return a string as a `str`: a member of an enum of strings is printed by its name.

    >>> type(plain("web"))
    <class 'str'>
    """
    return text if type(text) is str else str.__str__(text)


def is_unicode(text: str) -> bool:
    """Tell whether UTF-8 can hold a text: half of a surrogate pair is none.

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
