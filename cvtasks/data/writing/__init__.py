"""Answers written in the formats of data sets and labelling tools."""
