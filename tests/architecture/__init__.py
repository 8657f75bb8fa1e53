"""Rules about the shape of the code that no linter states."""
