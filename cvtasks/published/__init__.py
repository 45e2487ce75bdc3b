"""Models that others publish, fetched and made folders of models as training writes them."""
