"""Which of the processes over one database does a task: whoever holds its lease.

A lease that its holder does not renew runs out, and the next process that looks takes it. Between
the two nobody does the task; that two do it at once is possible only for one that was stopped for
longer than the lease lasts, and every task is harmless then, too.
"""

from modelkeep.ports.leases import Lease
from modelkeep.ports.work import Work

LEASE_MS = 10_000


def look(work: Work, task: str, holder: str) -> tuple[bool, bool]:
    """Whether the process has the lease, and whether it ought to ask for it (again)."""
    lease = work.leases.get(task)
    left_ms = lease.until_ms - work.now_ms if lease else 0
    is_ours = lease is not None and lease.holder == holder and left_ms > 0
    return is_ours, left_ms <= (LEASE_MS // 2 if is_ours else 0)


def take(work: Work, task: str, holder: str) -> bool:
    """Begins or renews a lease; False if somebody else has it."""
    is_ours, is_due = look(work, task, holder)
    if is_due:
        work.leases.put(task, Lease(holder, work.now_ms + LEASE_MS))
    return is_ours or is_due


def give_up(work: Work, task: str, holder: str) -> None:
    """Lets the next one have it at once. Harmless for whoever does not hold it."""
    if look(work, task, holder)[0]:
        work.leases.put(task, Lease(holder, work.now_ms))
