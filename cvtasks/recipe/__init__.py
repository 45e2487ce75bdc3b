"""A recipe: everything that makes a model, in one TOML file."""
