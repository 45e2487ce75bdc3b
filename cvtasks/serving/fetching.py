"""Images that a request names by their addresses on the internet; never one inside a network."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from cvtasks.media.addresses import stem_of
from cvtasks.media.download import TIMEOUT_S, download
from cvtasks.serving.bodies import Upload


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that wait for servers, apart from those that decode."""
    return ThreadPoolExecutor(8, thread_name_prefix="fetch")


async def fetched(upload: Upload, most: int) -> Upload:
    """The image that lies at the upload's address.

    Raises:
        InputError: it cannot be fetched, or lies in a private network or on this machine.
    """
    call = partial(download, upload.url, TIMEOUT_S, most, outside=True)
    content = await asyncio.get_running_loop().run_in_executor(_pool(), call)
    return Upload(stem_of(upload.url) or "image", content)
