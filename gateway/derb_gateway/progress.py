"""Tells whoever forwards readings that there are more; no polling."""

import asyncio


class Progress:
    """The id of the newest committed reading."""

    def __init__(self, last_id: int) -> None:
        self.last_id = last_id
        self._changed = asyncio.Event()

    def reached(self, last_id: int) -> None:
        """Say that all readings up to this id are committed."""
        if last_id > self.last_id:
            self.last_id = last_id
            self.wake()

    def wake(self) -> None:
        """Wake all who wait, so that they look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        """Wait until there is something new to look at."""
        await self._changed.wait()
