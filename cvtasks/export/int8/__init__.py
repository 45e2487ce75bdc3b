"""Exports in int8: ranges measured on images of the training split, layers kept in float where they
cost most, and what that loses.
"""
