"""Emergencies: promotions past the gates, and the reviews that they leave to be done."""

from dataclasses import dataclass

from modelkeep_client.addresses import Which
from modelkeep_client.transport import Transport
from modelkeep_client.values import Result, Verdict, built


@dataclass(frozen=True, slots=True)
class Emergency:
    """A promotion past the gates, whose `verdicts` were passed over.

    `status`: open, overdue, accepted or faulted; `due` is until when it must be reviewed.
    """

    id: int
    model: str
    version: int
    stage: str
    status: str
    opened_by: str
    reason: str
    opened: str
    due: str
    verdicts: tuple[Verdict, ...]
    reviewed_by: str | None
    reviewed: str | None
    review: str


class Emergencies:
    """The emergencies of a server; `client.emergencies` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, unreviewed: bool = False) -> list[Emergency]:
        """All of them, newest first, or those that wait for a review."""
        found = self._transport.get("/emergencies", unreviewed="true" if unreviewed else None)
        return [built(Emergency, emergency) for emergency in found]

    def break_glass(
        self, model: str, version: Which, stage: str, *, reason: str, hours: int = 24
    ) -> Result:
        """Brings a version into a stage past its gates, for admins.

        Somebody else owes a review within `hours`, 1 to 168. Raises Forbidden, Refused, Conflict.
        """
        body = {"model": model, "version": version, "stage": stage}
        body |= {"reason": reason, "hours": hours}
        return built(Result, self._transport.change("POST", "/emergencies", body))

    def review(self, emergency_id: int, *, accepts: bool, comment: str) -> Emergency:
        """Says whether it was justified, and what was looked at. It moves nothing.

        Raises Forbidden for whoever broke the glass.
        """
        body = {"accepts": accepts, "comment": comment}
        path = f"/emergencies/{emergency_id}/review"
        return built(Emergency, self._transport.change("POST", path, body))
