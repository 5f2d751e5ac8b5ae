"""One file a chip; bus and pins are handed in."""


class SensorError(Exception):
    """The sensor is absent, is another chip than it should be, or does not answer; `code` goes into the health reading."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
