"""Who calls, as STS and IAM say it: what SDKs ask before their own work.

A user is a user; a service account is a role that somebody has assumed, as a job on AWS has. There
are no roles to look up: whatever role is asked for is there, and SageMaker may assume it. What a
caller may do is said of calls that write, not of every action that AWS has a name for.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from modelkeep.domain.access import Kind, Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols.aws.calls import Call, Operation
from modelkeep.services.app import App

_SESSION = "modelkeep"  # of an assumed role
RESULTS_LIMIT = 1000  # of a simulation, which has one page
_EVER = datetime(1970, 1, 1, tzinfo=UTC)  # since when there are roles
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


async def _caller_identity(_app: App, call: Call) -> Mapping[str, Any]:
    actor = call.caller.actor
    user, arn = actor.name, f"arn:aws:iam::{call.caller_account}:user/{actor.name}"
    if actor.kind is Kind.SERVICE:
        user = f"{actor.name}:{_SESSION}"
        arn = f"arn:aws:sts::{call.caller_account}:assumed-role/{actor.name}/{_SESSION}"
    return {"UserId": user, "Account": call.caller_account, "Arn": arn}


async def _role(_app: App, call: Call) -> Mapping[str, Any]:
    name = call.params["RoleName"]
    arn = f"arn:aws:iam::{call.caller_account}:role/{name}"
    role = {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROA" + hashlib.sha256(arn.encode()).hexdigest()[:17].upper(),
        "Arn": arn,
        "CreateDate": _EVER,
        "AssumeRolePolicyDocument": quote(json.dumps(_TRUST), safe=""),
    }
    return {"Role": role}


async def _simulated(_app: App, call: Call) -> Mapping[str, Any]:
    actions, resources = call.params["ActionNames"], call.params.get("ResourceArns") or ["*"]
    if len(actions) * len(resources) > RESULTS_LIMIT:
        raise InvalidInput(
            f"ActionNames by ResourceArns are {len(actions) * len(resources)} results; the limit "
            f"is {RESULTS_LIMIT}."
        )
    may = call.caller.access.may_somewhere(Verb.WRITE)
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed" if may else "implicitDeny",
            "MatchedStatements": [],
            "MissingContextValues": [],
        }
        for action in actions
        for resource in resources
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _anybody(_call: Call) -> None:
    """Whoever signs may know who they are."""


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sts", "GetCallerIdentity"): Operation(_caller_identity, _anybody),
    ("iam", "GetRole"): Operation(_role, _anybody),
    ("iam", "SimulatePrincipalPolicy"): Operation(_simulated, _anybody),
}
