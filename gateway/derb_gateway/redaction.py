"""Keeps secrets out of what is said: the belt to the braces of not saying them.

Nothing in the gateway hands a key or a password to the log; but an error of a library may quote a URL or a header.
"""

import re

_SECRET_NAMES = re.compile(r"(?:^|_)(?:key|password|token|secret|psk|credentials)$", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^@\s/]+(?=@)")
_IN_HEADER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_NODE_KEY = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")


def is_secret(name: str) -> bool:
    """Return whether what stands under a name is not to be said; `key` of a reading is its identity, and is."""
    return name != "key" and _SECRET_NAMES.search(name) is not None


def redacted(text: str) -> str:
    """Return a text with what looks like a secret replaced by stars."""
    text = _IN_URL.sub(r"\1***", text)
    text = _IN_HEADER.sub(r"\1 ***", text)
    return _NODE_KEY.sub("***", text)
