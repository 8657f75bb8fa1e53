"""The Python client of a modelkeep server.

    from modelkeep_client import Client

    with Client("http://127.0.0.1:5000", user="ann") as client:
        version = client.register("churn", folder="./model", tags={"tested": "yes"})
        client.promote("churn", version.version, "Production", reason="two points better")

Every call that changes something carries an idempotency key, so a call whose answer was lost is
made again without having its effect twice. What goes wrong is an exception from `errors`.
"""

from modelkeep_client.client import Client
from modelkeep_client.errors import (
    AlreadyExists,
    Blocked,
    ClientError,
    Conflict,
    Forbidden,
    InvalidCall,
    NoAnswer,
    NotFound,
    Problem,
    Refused,
    StaleEpoch,
    Tampered,
    Unauthenticated,
    Unavailable,
    Void,
    Waiting,
)

__all__ = [
    "AlreadyExists",
    "Blocked",
    "Client",
    "ClientError",
    "Conflict",
    "Forbidden",
    "InvalidCall",
    "NoAnswer",
    "NotFound",
    "Problem",
    "Refused",
    "StaleEpoch",
    "Tampered",
    "Unauthenticated",
    "Unavailable",
    "Void",
    "Waiting",
]
