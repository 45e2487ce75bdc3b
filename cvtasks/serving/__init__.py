"""The HTTP server: images in, answers out, with a page for those who have no shell. It needs the
packages of the extra `serve`, and is imported by its command alone.
"""
