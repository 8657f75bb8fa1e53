"""The terms on which a request is made: refused where they do not hold, or are not kept here.

Encryption at rest is the disk's, or the store's: an object is kept as every file of ours is. To ask
for some, with no word of a key, asks for that; answers tell of none, for the server makes none. A
key of the caller's is refused: they would believe the object to lie under it.
"""

import re

from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3.asked import Asked

_ENCRYPTION = "x-amz-server-side-encryption"
_METHODS = ("", "AES256", "aws:kms", "aws:kms:dsse")
_KEYS = (
    f"{_ENCRYPTION}-aws-kms-key-id",
    f"{_ENCRYPTION}-context",
    f"{_ENCRYPTION}-customer-algorithm",
    f"{_ENCRYPTION}-customer-key",
    f"{_ENCRYPTION}-customer-key-md5",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
)
# What would be lost if it were passed over.
_LOST = (
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
)
_OWNERS = ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner")
_ACCOUNT = re.compile("[0-9]{12}")


def check_owner(asked: Asked, account: str) -> None:
    """Raises Coded where a bucket is expected to be of another account than this, which has all."""
    for owner in filter(None, (_said(asked, name) for name in _OWNERS)):
        if not _ACCOUNT.fullmatch(owner):
            raise Coded(
                "InvalidBucketOwnerAWSAccountID",
                "The value of the expected bucket owner parameter must be an AWS account ID.",
            )
        if owner != account:
            raise Coded("AccessDenied", "Access Denied", 403)


def check_headers(asked: Asked) -> None:
    """Raises Coded for what is asked of a new object and is not done here."""
    _check_encryption(asked)
    found = next((name for name in _LOST if _said(asked, name)), "")
    if not found and _said(asked, "x-amz-acl").startswith("public-"):
        found = "x-amz-acl"
    if found:
        raise Coded("NotImplemented", f"modelkeep does nothing about the header {found}.", 501)


def _check_encryption(asked: Asked) -> None:
    key = next((name for name in _KEYS if _said(asked, name)), "")
    if key:
        raise Coded(
            "NotImplemented",
            f"modelkeep encrypts nothing under a key of yours ({key}): objects are kept as the "
            "server's disk or store keeps all files. Leave the key out.",
            501,
        )
    if _said(asked, _ENCRYPTION) not in _METHODS:
        raise Coded(
            "InvalidEncryptionAlgorithmError",
            f"The encryption request that you specified is not valid: {_ENCRYPTION} is AES256, "
            "aws:kms or aws:kms:dsse.",
        )


def _said(asked: Asked, name: str) -> str:
    """A header; in presigned addresses some SDKs say it in the query."""
    in_query = (value for key, value in asked.query.items() if key.lower() == name)
    return asked.header(name) or next(in_query, "")
