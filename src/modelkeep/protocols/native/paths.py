"""Where the native API is; apart from its routes, whose framework is loaded when first needed."""

PREFIX = "/api/v1"
SIGN_IN = "/sign-in"
PUBLIC = frozenset((PREFIX + SIGN_IN,))  # these ask nobody for a token


def is_native(path: str) -> bool:
    """Whether a path is the API's, or would be if there were such a one."""
    return f"{path}/".startswith(f"{PREFIX}/")
