"""Launcher for a checkout: `python cli.py segment photo.jpg`."""

from cvtasks.cli import main

if __name__ == "__main__":
    main()
