"""What a use case is handed: the rows it may read and write, the moment, and the journal's pen.

A use case is a plain function `f(work, …) -> value`. It never commits: the writer does, and one
that raised leaves nothing behind. The writer may run it twice, the first time being undone: it
leaves nothing outside of its work, and finds its arguments as they were.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from modelkeep.domain.access import Access, Caller
from modelkeep.domain.events import Event
from modelkeep.ports.accounts import Accounts
from modelkeep.ports.artifacts import Artifacts
from modelkeep.ports.checkpoints import Checkpoints
from modelkeep.ports.emergencies import Emergencies
from modelkeep.ports.garbage import Garbage
from modelkeep.ports.governance import Governance
from modelkeep.ports.hands import Hands
from modelkeep.ports.holds import Holds
from modelkeep.ports.imports import Imports
from modelkeep.ports.intake import Intakes
from modelkeep.ports.journal import Journal
from modelkeep.ports.leases import Leases
from modelkeep.ports.loads import Loads
from modelkeep.ports.objects import BucketsElsewhere, ObjectUploads
from modelkeep.ports.papers import Papers
from modelkeep.ports.registry import Models, Slots, Versions
from modelkeep.ports.replies import Replies
from modelkeep.ports.resources import Resources
from modelkeep.ports.rules import Rules, Topics
from modelkeep.ports.sharing import Among, GroupPolicies
from modelkeep.ports.signatures import Signatures
from modelkeep.ports.tracking import Experiments, LoggedModels, Runs
from modelkeep.ports.webhooks import Deliveries, Webhooks
from modelkeep.ports.whereabouts import Stores


class Joint:
    """A use case that does for several callers at once what it would do for one after the other,
    and for less: `f(work, calls)`, of which each is one caller's arguments.

    It gives no value. Where it raises, the writer lets nothing of it be, and runs it again for each
    caller alone.
    """

    def __init__(self, use_case: Callable[..., None]) -> None:
        self.of_all, self.__name__, self.__doc__ = use_case, use_case.__name__, use_case.__doc__

    def __call__(self, work: "Work", *call: Any) -> None:
        self.of_all(work, [call])


T_co = TypeVar("T_co", covariant=True)


class About(NamedTuple, Generic[T_co]):
    """What was read, and the id of the one model that it hangs on. `also` are arguments with which
    the same would have been read."""

    value: T_co
    model_id: int
    also: Sequence[tuple[str | int, ...]] = ()


class Work(Protocol):
    """One use case's view of the project. Reads see what earlier use cases of the batch wrote."""

    @property
    def models(self) -> Models: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def governance(self) -> Governance: ...
    @property
    def papers(self) -> Papers: ...
    @property
    def hands(self) -> Hands: ...
    @property
    def emergencies(self) -> Emergencies: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def garbage(self) -> Garbage: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def experiments(self) -> Experiments: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def logged_models(self) -> LoggedModels: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def intakes(self) -> Intakes: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def topics(self) -> Topics: ...
    @property
    def loads(self) -> Loads: ...
    @property
    def replies(self) -> Replies: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def group_policies(self) -> GroupPolicies: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def signatures(self) -> Signatures: ...
    @property
    def stores(self) -> Stores: ...
    @property
    def object_uploads(self) -> ObjectUploads: ...
    @property
    def buckets_elsewhere(self) -> BucketsElsewhere: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def now_ms(self) -> int:
        """The batch's moment: never before any earlier batch's."""
        ...

    def seen_by(self, access: Access, among: Among | None = None) -> "Work":
        """The same work for eyes that see some models only, and of a guest's those `among` some:
        others are not there, in any look-up, list or search, and the bytes of those that may not be
        downloaded are refused."""
        ...

    def record(self, caller: Caller, event: Event, *, model_id: int | None = None) -> None:
        """Adds a leaf to the journal, if this use case survives."""
        ...
