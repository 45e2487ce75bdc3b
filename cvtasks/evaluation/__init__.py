"""Evaluation: scores of models, and of predictions that anybody saved."""
