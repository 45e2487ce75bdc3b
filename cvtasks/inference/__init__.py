"""From sources to finished answers: read, predicted, drawn and written."""
