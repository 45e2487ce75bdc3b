"""`python -m cvtasks`."""

from cvtasks.cli import main

main()
