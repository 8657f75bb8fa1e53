"""The dialects that clients speak; each ends in the same use cases."""
