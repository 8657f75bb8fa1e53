"""What topics' messages are signed with: a key of the server's, and the certificate that goes with
it, by which whoever gets a message can tell that it is ours."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stamp:
    """`sealed` is the private key, sealed for `id`; `certificate` an X.509 one, in PEM."""

    id: str
    sealed: str = field(repr=False)
    certificate: str
    created_ms: int
