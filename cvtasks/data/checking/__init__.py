"""A look at data: faults, duplicates, statistics, drawn samples, other formats."""
