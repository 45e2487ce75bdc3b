"""`cvtasks models` and `cvtasks info`."""


def models() -> None:
    """List the models of the zoo."""


def info() -> None:
    """Show versions, devices and engines."""
