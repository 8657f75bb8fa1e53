"""Bytes: immutable blobs addressed by their SHA-256."""
