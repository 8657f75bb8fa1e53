"""Access keys of an estate's accounts, and calls that are signed with them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import httpx
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from modelkeep.protocols.native.paths import PREFIX
from tests.support.estate import Estate

HOST = "127.0.0.1:5000"


def key_of(estate: Estate, name: str, by: str = "", **wanted: Any) -> dict[str, Any]:
    answer = estate.call("POST", f"{PREFIX}/accounts/{name}/keys", by or name, wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def signed(
    estate: Estate,
    key: dict[str, Any],
    target: str,
    params: dict[str, Any] | None = None,
    service: str = "sagemaker",
    method: str = "POST",
    path: str = "/",
    more: dict[str, str] | None = None,
) -> Any:
    """The arguments of a call that is signed now."""
    body = json.dumps(params or {}).encode()
    given = {
        "Host": HOST,
        "Content-Type": "application/x-amz-json-1.1" if target else "application/json",
    } | (more or {})
    given |= {"X-Amz-Target": target} if target else {}
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body, headers=given)
    at = datetime.fromtimestamp(estate.clock.now_ms() / 1000, UTC).replace(tzinfo=None)
    with patch.object(auth, "get_current_datetime", lambda: at):
        signer = auth.SigV4Auth(Credentials(key["id"], key["secret"]), service, "us-east-1")
        signer.add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return {"method": method, "path": path, "content": body, "headers": headers}


def code(answer: httpx.Response) -> str:
    return "" if answer.status_code == 200 else answer.json()["__type"]


@dataclass
class Signer:
    """What somebody signs with one key."""

    estate: Estate
    key: dict[str, Any]

    def raw(self, operation: str, **params: Any) -> httpx.Response:
        return self.estate.call(**signed(self.estate, self.key, f"SageMaker.{operation}", params))

    def __call__(self, operation: str, **params: Any) -> Any:
        """The answer, or the code of a refusal."""
        answer = self.raw(operation, **params)
        return code(answer) or answer.json() if answer.content else {}

    def told(self, operation: str, **params: Any) -> str:
        """Why it is refused."""
        return self.raw(operation, **params).json()["message"]

    def file(self, method: str, path: str, service: str = "s3") -> tuple[int, bytes]:
        """The status and the body of a call without a target."""
        more = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"} if service == "s3" else {}
        answer = self.estate.call(
            **signed(self.estate, self.key, "", None, service, method, path, more)
        )
        return answer.status_code, answer.content

    def groups(self, **params: Any) -> list[str]:
        found = self("ListModelPackageGroups", **params)["ModelPackageGroupSummaryList"]
        return [group["ModelPackageGroupName"] for group in found]

    def found(self, resource: str = "ModelPackage", **params: Any) -> tuple[list[str], int]:
        found = self("Search", Resource=resource, **params)
        shown = [one[resource] for one in found["Results"]]
        names = [one.get("ModelPackageGroupName") or one["ModelPackageName"] for one in shown]
        return sorted(names), found["TotalHits"]["Value"]


def caller(estate: Estate, name: str, number: str = "") -> Signer:
    """Somebody with a key that `boss` made them, of an account's number if it is given."""
    wanted = {"account_number": number} if number else {}
    return Signer(estate, key_of(estate, name, "boss", **wanted))
