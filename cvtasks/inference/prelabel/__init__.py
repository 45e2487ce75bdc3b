"""Images labelled by a model, in the files of labelling tools, to be corrected there."""
