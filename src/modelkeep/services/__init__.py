"""Use cases: plain functions `f(work, input) -> value`, without SQL and without HTTP."""
