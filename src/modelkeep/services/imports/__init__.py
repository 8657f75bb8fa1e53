"""Bringing things over from another server, with their own ids, numbers and times.

Whatever is brought is checked by the rules that the ordinary calls are checked by. What exists
here already is only ever changed as `domain.imports.judge` allows.
"""
