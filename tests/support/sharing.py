"""Policies of groups, as they are put: of the server's own account, and for two others."""

from typing import Any

OURS, THEIRS, OTHERS = "000000000000", "111122223333", "444455556666"
GROUP = f"arn:aws:sagemaker:us-east-1:{OURS}:model-package-group/"
PACKAGE = f"arn:aws:sagemaker:us-east-1:{OURS}:model-package/"


def statement(*actions: str, **changes: Any) -> dict[str, Any]:
    """That the first of the others may do these, with any resource; but for what is changed."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": THEIRS},
        "Action": [f"sagemaker:{action}" for action in actions],
        "Resource": "*",
        **changes,
    }
