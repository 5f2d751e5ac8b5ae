"""Ways out of a node, one file each; all speak `open`, `send`, `receive`, `close`, and fail with LinkError only."""


class LinkError(Exception):
    """The link did not carry what it should within its deadline; try again later."""
