"""An upstream for faults: it knows a repeat by its key, and behaves as it is told."""

import random
from collections import Counter
from collections.abc import Callable

from gateway.fake_upstream import Answer, Asked, http, http_json


class City:
    """An upstream that knows a repeat by its key, and behaves as `mood` says."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self.repeats = 0
        self.mood: Callable[[City, Asked], Answer] = City.good
        self.forget: Callable[[], None] = lambda: None

    def answer(self, asked: Asked) -> Answer:
        self.forget()
        return self.mood(self, asked)

    def take(self, keys: list[str]) -> None:
        for key in keys:
            self.repeats += key in self.effects
            self.effects[key] = 1

    def good(self, asked: Asked) -> Answer:
        self.take(asked.keys())
        return http(204)

    def half(self, asked: Asked) -> Answer:
        """Take every reading with an even chance, and say truly which."""
        keys = asked.keys()
        rejected = [key for key in keys if random.random() < 0.5]
        self.take([key for key in keys if key not in rejected])
        return http_json(207, {"rejected": [{"key": key, "why": "busy", "retry": True} for key in rejected]})

    def lying(self, asked: Asked) -> Answer:
        """Take all and say that nothing was taken."""
        self.take(asked.keys())
        return http(500, b"oh")

    def cut(self, asked: Asked) -> Answer:
        """Take all and hang up in the middle of the answer."""
        self.take(asked.keys())
        return http(200, b"everything is well")[:-5]

    def mute(self, asked: Asked) -> Answer:
        """Take all and never answer."""
        self.take(asked.keys())
        return None

    def dead(self, _: Asked) -> Answer:
        return b""
