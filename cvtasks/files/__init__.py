"""Files: whole or not at all, under names that nothing has; and where what can be made again is
kept.
"""
