"""The toys are found by their rows, as files of other packages are."""

collect_ignore_glob = ["toy_*.py"]
