"""Servers that can be measured: one module each. `base.Peer` says what such a module gives."""
