"""Everything that is drawn: answers on images, plots, sheets."""
