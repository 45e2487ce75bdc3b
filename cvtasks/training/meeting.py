"""How the hosts of a run find each other."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cvtasks.errors import UsageError
from cvtasks.text import some
from cvtasks.training.hosts import ALONE, First, HostEnded, Hosts, Other
from cvtasks.training.line import Line

MEET_S = 600.0
"""Seconds that a host waits for the others."""

_AGAIN_S = 0.5  # between two attempts to reach the first host
_HELLO_S = 10.0  # in which whoever connects must say which host it is

LAUNCHERS = {
    "Slurm": ("SLURM_PROCID", "SLURM_NTASKS"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "MPICH": ("PMI_RANK", "PMI_SIZE"),
    "Kubernetes": ("JOB_COMPLETION_INDEX", ""),
}
"""What starts processes on many machines → the variables by which it tells each its own number, and
how many there are.
"""


@dataclass(frozen=True)
class Place:
    """A host's place among those of its run.

    Attributes:
        number: how many they are; `index`: which one this is, from 0.
        address, port: by which the first is reached.
    """

    number: int = 1
    index: int = 0
    address: str = ""
    port: int = 0


def place_of(
    number: str, index: int | None, coordinator: str, said: Mapping[str, str] = os.environ
) -> Place:
    """The place that is wished for, with what is left open as the launcher says.

    Args:
        number: of hosts; "auto" for as many as the launcher has started; "" for one.
        index: of this one; None for what the launcher says.
        coordinator: "address:port" of the first; "" for Slurm's.
        said: the environment.

    Raises:
        UsageError: something is missing, or cannot be.

    >>> place_of("2", 1, "10.0.0.1:4321", {})
    Place(number=2, index=1, address='10.0.0.1', port=4321)
    >>> slurm = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "77"}
    >>> place_of("auto", None, "", {**slurm, "SLURM_JOB_NODELIST": "gpu[007-010]"})
    Place(number=4, index=3, address='gpu007', port=20077)
    """
    if not number:
        if index is not None or coordinator:
            raise UsageError(
                "which host this is, and where the first one is, go with the number of hosts; got "
                "none. Name it, or leave them out.",
                ways={"hosts": ""},
            )
        return Place()
    own, of = next((keys for keys in LAUNCHERS.values() if keys[0] in said), ("", ""))
    count = _whole(number, said.get(of, ""))
    if count == 1:
        return Place()
    if index is None and not own:
        raise UsageError(
            f"each of {count} hosts must know which one it is; neither {', '.join(LAUNCHERS)} has "
            f"started this process. Give a number from 0 to {count - 1}.",
            ways={"host": ""},
        )
    at = int(said[own]) if index is None else index
    if not 0 <= at < count:
        raise UsageError(
            f"{count} hosts have numbers from 0 to {count - 1}; got {at}. Choose one of them.",
            ways={"host": "", "hosts": ""},
        )
    address, port = _reached(coordinator or _of_slurm(said))
    return Place(count, at, address, port)


def _whole(number: str, told: str) -> int:
    """The number of hosts."""
    if number == "auto" and not told:
        raise UsageError(
            "the number of hosts is taken from Slurm or MPI; neither has started this process. "
            "Name it.",
            ways={"hosts": ""},
        )
    text = told if number == "auto" else number
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise UsageError(
            f'the number of hosts is one from 1 to 4096, or "auto"; got {text!r}. Choose another.',
            ways={"hosts": ""},
        )
    return int(text)


def _reached(coordinator: str) -> tuple[str, int]:
    """Address and port of the first host."""
    address, _, port = coordinator.rpartition(":")
    if not address or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UsageError(
            "the first host is reached by an address and a port, as 10.0.0.1:4321; got "
            f"{coordinator!r}. Name one that the others reach.",
            ways={"coordinator": ""},
        )
    return address.removeprefix("[").removesuffix("]"), int(port)


def _of_slurm(said: Mapping[str, str]) -> str:
    """Address and port of the first host of a Slurm job; empty where there is none.

    >>> _of_slurm({"SLURM_JOB_ID": "12", "SLURM_STEP_NODELIST": "a1,b[3,5]"})
    'a1:20012'
    """
    nodes = said.get("SLURM_STEP_NODELIST") or said.get("SLURM_JOB_NODELIST", "")
    if not nodes:
        return ""
    first, bracket, rest = nodes.split(",")[0].partition("[")
    number = rest.rstrip("]").partition("-")[0] if bracket else ""
    port = 20000 + int(said.get("SLURM_JOB_ID", "0")) % 10000  # jobs on one node seldom meet
    return f"{first}{number}:{port}"


@contextmanager
def joined(
    place: Place,
    version: str,
    ended: Callable[[HostEnded], None],
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Hosts]:
    """The hosts of a run, met; they part when the context ends, and where it ends with an error,
    that is told to all.

    Args:
        version: of cvtasks, which must be the same everywhere.
        ended: see `cvtasks.training.hosts.Several`.
        say: hears whom this host waits for.

    Raises:
        UsageError: they have not met within `MEET_S`, or they do not fit together.
    """
    if place.number == 1:
        yield ALONE
        return
    hello = {**_title(place), "version": version}
    if place.index == 0:
        lines = _gathered(place, hello, say)
        hosts: First | Other = First(place.address, lines, ended)
    else:
        line = _connected(place, hello, say)
        hosts = Other(place.number, place.index, place.address, line, ended)
    try:
        yield hosts
    except BaseException as error:
        hosts.leave(error)
        raise
    hosts.leave(None)


def _title(place: Place) -> dict[str, Any]:
    return {"hosts": place.number, "host": place.index, "name": socket.gethostname()}


def _gathered(place: Place, own: Mapping[str, Any], say: Callable[[str], None]) -> dict[int, Line]:
    """The lines to all other hosts."""
    lines: dict[int, Line] = {}
    with _listening(place.port) as door:
        say(f"host 0 of {place.number}: waiting for the others at port {place.port}")
        until = time.monotonic() + MEET_S
        while len(lines) < place.number - 1:
            door.settimeout(max(until - time.monotonic(), 1e-3))
            try:
                connection, _ = door.accept()
            except TimeoutError:
                missing = [str(at) for at in range(1, place.number) if at not in lines]
                error = UsageError(
                    f"all {place.number} hosts must come within {MEET_S:.0f} s; {some(missing, 8)} "
                    "did not. Are they started, and do they reach "
                    f"{place.address}:{place.port}?"
                )
                for line in lines.values():
                    line.send("end", [str(error), error.exit_code])
                    line.close()
                raise error from None
            _greet(Line(connection), own, lines)
    for line in lines.values():
        line.send("met")
    return lines


def _listening(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UsageError(
            f"the first host listens at the coordinator's port; {port} cannot be had: "
            f"{error.strerror or error}. Choose another.",
            ways={"coordinator": ""},
        ) from error


def _greet(line: Line, own: Mapping[str, Any], lines: dict[int, Line]) -> None:
    """Take in a host that has connected, or send it away."""
    try:
        kind, said = line.receive(_HELLO_S)
        if kind != "hello":
            raise ValueError("a host says hello first")
        at, other = int(said["host"]), {key: said[key] for key in ("hosts", "version")}
        line.name = f"host {at} ({str(said['name'])[:100]})"
    except (OSError, ValueError, LookupError, TypeError):
        line.close()  # no host of a run
        return
    wrong = [key for key, value in other.items() if value != own[key]]
    if wrong:
        refused = f"host 0 has {own[wrong[0]]} of {wrong[0]}, and this one {other[wrong[0]]}"
    elif not 0 < at < own["hosts"] or at in lines:
        refused = f"there is a host {at} already"
    else:
        lines[at] = line
        return
    line.send("end", [f"all hosts of a run are alike, and each has its own number; {refused}", 2])
    line.close()


def _connected(place: Place, own: Mapping[str, Any], say: Callable[[str], None]) -> Line:
    """The line to the first host, once all have come."""
    where = f"{place.address}:{place.port}"
    say(f"host {place.index} of {place.number}: host 0, at {where}, says how it goes")
    until, reason = time.monotonic() + MEET_S, "it takes too long"
    while (left := until - time.monotonic()) > 0:
        try:
            connection = socket.create_connection((place.address, place.port), min(left, 5.0))
        except OSError as error:
            reason = error.strerror or str(error)
            time.sleep(min(_AGAIN_S, left))
            continue
        line = Line(connection, "host 0")
        line.send("hello", dict(own))
        kind, value = "", [""]
        with suppress(OSError, ValueError):
            kind, value = line.receive(MEET_S)
        if kind == "met":
            return line
        line.close()
        if kind == "end":
            raise UsageError(str(value[0]))
        reason = "it does not answer as the first host of a run does"
        time.sleep(min(_AGAIN_S, left))
    raise UsageError(
        f"host {place.index} must reach the first within {MEET_S:.0f} s, at {where}; it cannot: "
        f"{reason}. Is host 0 started, and its port open to this machine?",
        ways={"coordinator": ""},
    )
