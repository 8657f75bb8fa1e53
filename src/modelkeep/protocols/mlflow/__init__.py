"""MLflow's REST dialect, as its stock clients use it (2.10 to 3.x).

`wire` says what a call is, `routes` lists them all, `errors` renders refusals as MLflow does,
and one module a noun translates between the wire and the use cases.
"""
