"""What is in force of a node's configuration, without what it took to judge it."""


class Settings:
    """Every setting of derb.config as an attribute of its own name."""
