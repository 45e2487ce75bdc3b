"""Room for what is held at a time: whoever needs more than is left waits, or is refused."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """So much of something, for those who come first. Of one event loop.

    Args:
        total: what there is. Who wants more than that gets all of it, alone.
    """

    def __init__(self, total: int) -> None:
        self.total = self.left = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, count: int) -> AsyncIterator[None]:
        """Wait until there is room, and have it as long as the context lasts."""
        count = min(count, self.total)
        if self._waiting or count > self.left:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it had just been given
                    self.give(count)
                else:
                    self._waiting.remove((count, turn))
                    self._serve()
                raise
        else:
            self.left -= count
        try:
            yield
        finally:
            self.give(count)

    def take_now(self, count: int) -> bool:
        """Take so much at once, if it is there."""
        if self._waiting or count > self.left:
            return False
        self.left -= count
        return True

    def give(self, count: int) -> None:
        """Give back what was taken."""
        self.left += count
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.left:
            count, turn = self._waiting.popleft()
            if turn.cancelled():
                continue
            self.left -= count
            turn.set_result(None)
