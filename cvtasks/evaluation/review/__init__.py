"""Images that are likely mislabelled, or worth labelling, by what a model says of them."""
