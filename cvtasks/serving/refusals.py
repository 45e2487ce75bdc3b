"""What a request is refused with: a status and a sentence, never a trace, never a path of this
machine.
"""

from collections.abc import Mapping
from typing import Any

from cvtasks.errors import CVTasksError, InputError, TooLarge, UsageError

_NONE: Mapping[str, str] = {}


class Refused(Exception):
    """A request, or one image of it, is not answered.

    Args:
        status: of HTTP.
        text: the rule, what was received, and the way out.
        headers: further ones of the response.
        close: whether the connection ends with it.
    """

    def __init__(
        self, status: int, text: str, headers: Mapping[str, str] = _NONE, close: bool = False
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.close = status, text, close
        self.headers = {**headers, **({"connection": "close"} if close else {})}

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"error": self.text, "status": self.status}


def refusal_of(error: Exception) -> Refused:
    """What becomes of an error of the library.

    What a client has caused is told to it in the error's own words. All else is a fault of this
    side, of whose words none may leave it: they may hold a path.
    """
    if isinstance(error, Refused):
        return error
    if isinstance(error, TooLarge):
        return Refused(413, str(error))
    if isinstance(error, InputError):
        return Refused(400, str(error))
    if isinstance(error, UsageError):
        return Refused(422, str(error))
    kind = "The model" if isinstance(error, CVTasksError) else "A fault of the server"
    return Refused(
        500, f"{kind} let this request fail; the server's own log says more. Try another image."
    )
