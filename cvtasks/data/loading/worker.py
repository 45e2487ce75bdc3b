"""A process that prepares samples for `cvtasks.data.loading.processes`.

python -m cvtasks.data.loading.worker DESCRIPTOR
"""

import os
import pickle
import signal
import sys
import traceback
from typing import BinaryIO

import cv2

from cvtasks.data.loading.room import Room
from cvtasks.errors import CVTasksError, UsageError


def main() -> None:
    """Hear orders, pickled, from standard input until it ends, and answer each on what was standard
    output: first (source, prepare), then (epoch, step, index) each time.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the run finishes its step, and needs its batches
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    cv2.setNumThreads(1)  # there are as many processes as are wanted
    try:
        _serve(sys.stdin.buffer, answers, Room(int(sys.argv[1])))
    except (EOFError, BrokenPipeError):  # the run has ended
        os._exit(0)  # not even what is left in a buffer is for anybody


def _serve(orders: BinaryIO, answers: BinaryIO, room: Room) -> None:
    def answer(what: object) -> None:
        pickle.dump(what, answers, protocol=5)
        answers.flush()

    try:
        source, prepare = pickle.load(orders)
    except EOFError:
        raise
    except (AttributeError, ImportError) as error:
        answer(
            UsageError(
                "what prepares samples in other processes must be importable there; a class or a "
                f"function is not: {error}. Move it from the script or the notebook into a module, "
                "or set `data.processes = false`."
            )
        )
        return
    except Exception as error:  # of any module that it names; the run raises it
        answer(sendable(error))
        return
    answer("ready")
    while True:
        order = pickle.load(orders)
        try:
            laid = room.lay(prepare(source, *order))
        except Exception as error:  # the run raises it
            answer(sendable(error))
        else:
            answer(laid)


def sendable(error: Exception) -> Exception:
    """The error, or what can be sent of it; where it is none that is said on purpose, with where it
    came from.
    """
    if not isinstance(error, CVTasksError):
        error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class does on the way
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
