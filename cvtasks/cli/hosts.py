"""Several hosts that learn as one, on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cvtasks import __version__
from cvtasks.cli.leaving import hurry, leave_at_once
from cvtasks.cli.output import quiet_start, say, start_keras
from cvtasks.errors import UsageError
from cvtasks.training.meeting import Place, joined

if TYPE_CHECKING:
    from cvtasks.training.hosts import HostEnded, Hosts


def unheard(text: str) -> None:
    """Say nothing: the first host has said it."""


def check_alone(place: Place, others: dict[str, object]) -> None:
    """Raise UsageError where something is asked for that several hosts cannot do."""
    given = [name for name, value in others.items() if value]
    if place.number > 1 and given:
        raise UsageError(
            f"--hosts is for one training, and takes no {given[0]}. Leave one of them out, or do "
            "that on one host first."
        )


@contextmanager
def together(place: Place) -> Iterator["Hosts"]:
    """The hosts of a run as long as the context lasts. Where another one ends, this process does,
    whatever it is at: a step that waits for the other would never end.
    """

    def ended(error: "HostEnded") -> None:
        say(f"cvtasks: {error}")
        leave_at_once(error.exit_code)

    with joined(place, __version__, ended, say) as group:
        try:
            if group.number > 1:
                with quiet_start():
                    from cvtasks.training.devices import check_back_end

                check_back_end(group.number)
            yield group
        except BaseException as error:
            if group.number > 1 and not group.same(error):
                hurry()  # JAX would wait for the others
            raise


@contextmanager
def devices_of_all(group: "Hosts") -> Iterator[None]:
    """Keras, with the devices of all hosts."""
    if group.number == 1:
        start_keras()
        yield
        return
    from cvtasks.training.devices import devices_joined

    with devices_joined(group):
        yield
