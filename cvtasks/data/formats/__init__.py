"""Layouts of data sets on the disk: one file each recognises and opens one."""
