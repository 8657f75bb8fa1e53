"""One connection's unit of work: the rows of every noun, and the batch's moment."""

from modelkeep.domain.access import Access, Caller
from modelkeep.domain.events import Event
from modelkeep.domain.stores import Place
from modelkeep.ports.sharing import Among
from modelkeep.storage.sql.accounts import SqlAccounts
from modelkeep.storage.sql.artifacts import SqlArtifacts
from modelkeep.storage.sql.checkpoints import SqlCheckpoints
from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.deliveries import SqlDeliveries
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.emergencies import SqlEmergencies
from modelkeep.storage.sql.experiments import SqlExperiments
from modelkeep.storage.sql.garbage import SqlGarbage
from modelkeep.storage.sql.governance import SqlGovernance
from modelkeep.storage.sql.group_policies import SqlGroupPolicies
from modelkeep.storage.sql.hands import SqlHands
from modelkeep.storage.sql.holds import SqlHolds
from modelkeep.storage.sql.imports import SqlImports
from modelkeep.storage.sql.intake import SqlIntakes
from modelkeep.storage.sql.journal import SqlJournal
from modelkeep.storage.sql.leases import SqlLeases
from modelkeep.storage.sql.loads import SqlLoads
from modelkeep.storage.sql.logged_models import SqlLoggedModels
from modelkeep.storage.sql.memory import Memory
from modelkeep.storage.sql.models import SqlModels
from modelkeep.storage.sql.objects import SqlBucketsElsewhere, SqlObjectUploads
from modelkeep.storage.sql.papers import SqlPapers
from modelkeep.storage.sql.replies import SqlReplies
from modelkeep.storage.sql.resources import SqlResources
from modelkeep.storage.sql.rules import SqlRules, SqlTopics
from modelkeep.storage.sql.runs import SqlRuns
from modelkeep.storage.sql.sight import Sight
from modelkeep.storage.sql.signatures import SqlSignatures
from modelkeep.storage.sql.slots import SqlSlots
from modelkeep.storage.sql.versions import SqlVersions
from modelkeep.storage.sql.webhooks import SqlWebhooks
from modelkeep.storage.sql.whereabouts import SqlStores

DEFAULT_PROJECT_ID = 1
DEFAULT_PROJECT = "default"


class SqlWork:
    """The rows of the default project over one connection. See `ports.work.Work`."""

    def __init__(
        self,
        db: Db,
        dialect: Dialect,
        sight: Sight | None = None,
        journal: SqlJournal | None = None,
        memory: Memory | None = None,
        places: tuple[Place, ...] = (),
    ) -> None:
        project = DEFAULT_PROJECT_ID
        sight = sight or Sight(project)
        self.db, self._dialect, self.memory = db, dialect, memory
        self.models = SqlModels(db, project, dialect, sight, memory)
        self.versions = SqlVersions(db, project, dialect, sight, memory)
        self.slots = SqlSlots(db, project)
        self.artifacts = SqlArtifacts(db, project)
        self.governance = SqlGovernance(db, project, sight, memory)
        self.papers = SqlPapers(db, project)
        self.hands = SqlHands(db, project)
        self.emergencies = SqlEmergencies(db, project)
        self.holds = SqlHolds(db, project)
        self.journal = journal or SqlJournal(db, project, DEFAULT_PROJECT)
        self.garbage = SqlGarbage(db, project, lambda: self.now_ms)
        self.accounts = SqlAccounts(db, project)
        self.checkpoints = SqlCheckpoints(db, project)
        self.experiments = SqlExperiments(db, project, dialect)
        self.runs = SqlRuns(db, project, dialect)
        self.logged_models = SqlLoggedModels(db, project, dialect)
        self.imports = SqlImports(db, project)
        self.intakes = SqlIntakes(db, project, places)
        self.webhooks = SqlWebhooks(db, project)
        self.deliveries = SqlDeliveries(db, project)
        self.rules = SqlRules(db, project)
        self.topics = SqlTopics(db, project)
        self.loads = SqlLoads(db, project)
        self.replies = SqlReplies(db, project)
        self.resources = SqlResources(db, project, dialect, sight)
        self.group_policies = SqlGroupPolicies(db, project)
        self.leases = SqlLeases(db, project)
        self.signatures = SqlSignatures(db, project)
        self.stores = SqlStores(db, project)
        self.object_uploads = SqlObjectUploads(db, project)
        self.buckets_elsewhere = SqlBucketsElsewhere(db, project)

    def seen_by(self, access: Access, among: Among | None = None) -> "SqlWork":
        sight = Sight(DEFAULT_PROJECT_ID, access, among)
        return SqlWork(
            self.db, self._dialect, sight, self.journal, self.memory, self.intakes.places
        )

    @property
    def now_ms(self) -> int:
        return self.journal.now_ms

    def record(self, caller: Caller, event: Event, *, model_id: int | None = None) -> None:
        self.journal.add(caller, event, model_id)
