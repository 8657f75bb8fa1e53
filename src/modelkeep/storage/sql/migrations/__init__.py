"""How the tables came to be: one numbered file a step, of which a release runs those it lacks.

A step's number is its revision. Its statements never change once it was released.
"""
