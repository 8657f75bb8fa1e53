"""What the journal says the tables must hold: the leaves, played back.

A `Ledger` takes leaves in order and keeps, for every row it expects, the values and the index of
the leaf that last spoke of it. A leaf that contradicts what was played before it (another stage
or epoch than the ones before) is reported too. Values known only by a text that was erased are
`UNKNOWN` and equal anything.
"""

from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain.access import ANONYMOUS

UNKNOWN = object()  # the text was erased; the leaf still proves that there was one

Key = tuple[Any, ...]


@dataclass(slots=True)
class Row:
    """An expected row and the index of the leaf that last changed it."""

    values: dict[str, Any]
    index: int


@dataclass(slots=True)
class Ledger:
    """The expected tables: name -> key -> row; and contradictions: (leaf index, sentence)."""

    tables: dict[str, dict[Key, Row]] = field(default_factory=dict)
    evidence: dict[str, int] = field(default_factory=dict)  # digest -> who spoke of it last
    contradictions: list[tuple[int, str]] = field(default_factory=list)

    def play(self, index: int, at_ms: int, leaf: dict[str, Any], texts: dict[str, str]) -> None:
        """Plays one leaf. `texts` are those of its texts that were not erased.

        Raises KeyError or TypeError for a leaf that lacks what its action needs.
        """
        step = _Step(self, index, at_ms, leaf, texts)
        if "evidence" in leaf["why"]:
            self.evidence[leaf["why"]["evidence"]] = index
        handler = _HANDLERS.get(leaf["act"])
        if handler:
            handler(step)
        step.shift()
        step.close_requests()

    def put(self, table: str, key: Key, index: int, **values: Any) -> None:
        known = self.tables.setdefault(table, {})
        if key in known:
            known[key].values.update(values)
            known[key].index = index
        else:
            known[key] = Row(values, index)

    def drop(self, table: str, key: Key) -> None:
        self.tables.setdefault(table, {}).pop(key, None)

    def value(self, table: str, key: Key, name: str, default: Any = None) -> Any:
        row = self.tables.get(table, {}).get(key)
        return row.values.get(name, default) if row else default


@dataclass(slots=True)
class _Step:
    """One leaf on its way into the ledger."""

    ledger: Ledger
    index: int
    at_ms: int
    leaf: dict[str, Any]
    texts: dict[str, str]

    @property
    def obj(self) -> dict[str, Any]:
        return self.leaf["obj"]

    @property
    def after(self) -> dict[str, Any]:
        return self.leaf["post"]

    def text(self, name: str, otherwise: Any = "") -> Any:
        """A text; UNKNOWN if it was erased; `otherwise` if the leaf never had it."""
        if name not in self.leaf["texts"]:
            return otherwise
        return self.texts.get(name, UNKNOWN)

    def put(self, table: str, key: Key, **values: Any) -> None:
        self.ledger.put(table, key, self.index, **values)

    def set_tags(self, table: str, owner: Key) -> None:
        for position, key in enumerate(self.after.get("tags", ())):
            self.put(table, (*owner, key), value=self.text(f"tag.{position}"))
        for key in self.after.get("untagged", ()):
            self.ledger.drop(table, (*owner, key))

    def name(self, name: str | None) -> None:
        """The model is called this from now on or, with None, nothing."""
        model, now = self.obj["model"], self.at_ms
        borne = self.ledger.value("borne name", (model,), "borne")
        if borne:
            self.put("model_name", borne, until_ms=now)
        key = (model, now, name) if name else None
        self.put("borne name", (model,), borne=key)
        if key:
            self.put("model_name", key, until_ms=None)

    # -- stages, slots and stays -------------------------------------------------------------

    def shift(self) -> None:
        """Carries out the moves that a leaf lists, after holding them against what was before."""
        before, after = self.leaf["pre"], self.after
        for slot in before.get("slots", ()):
            self.expect("slot", (self.obj["model"], slot["slot"]), "epoch", slot["epoch"], 0)
        for moved in before.get("stages", ()):
            key = (self.obj["model"], moved["version"])
            self.expect("version", key, "stage", moved["stage"], "None")
        slots = {slot["slot"]: slot for slot in after.get("slots", ())}
        for moved in after.get("stages", ()):
            self._move(moved["version"], moved["stage"], slots)
        for slot in slots.values():
            self._move_slot(slot)

    def _move(self, number: int, stage: str, slots: dict[str, Any]) -> None:
        model = self.obj["model"]
        left = self.ledger.value("version", (model, number), "stage", "None")
        if left == stage:
            return
        self.put("version", (model, number), stage=stage)
        if left != "None":
            self._end_stay(slots[f"stage:{left}"], number)
        if stage != "None":
            self._begin_stay(slots[f"stage:{stage}"], number)

    def _move_slot(self, slot: dict[str, Any]) -> None:
        key = (self.obj["model"], slot["slot"])
        if "version" in slot:
            holder = self.ledger.value("slot", key, "holder")
            if holder is not None:
                self._end_stay(slot, holder)
            if slot["version"] is not None:
                self._begin_stay(slot, slot["version"])
        self.put("slot", key, holder=slot.get("version"), epoch=slot["epoch"])

    def _begin_stay(self, slot: dict[str, Any], number: int) -> None:
        prior = slot.get("prior")
        key = (self.obj["model"], slot["slot"], number, slot["epoch"])
        self.put(
            "stay",
            key,
            from_ms=self.at_ms,
            until_ms=None,
            until_epoch=None,
            approved=slot.get("approved", False),
            prior=(prior["version"], prior["epoch"]) if prior else None,
        )
        self.put("open stay", key[:3], epoch=slot["epoch"])

    def _end_stay(self, slot: dict[str, Any], number: int) -> None:
        short = (self.obj["model"], slot["slot"], number)
        epoch = self.ledger.value("open stay", short, "epoch")
        if epoch is not None:
            self.put("stay", (*short, epoch), until_ms=self.at_ms, until_epoch=slot["epoch"])
            self.ledger.drop("open stay", short)

    def expect(self, table: str, key: Key, name: str, said: Any, at_first: Any) -> None:
        known = self.ledger.value(table, key, name, at_first)
        if known != said:
            self.ledger.contradictions.append(
                (self.index, f"says that the {name} of {key[1]} was {said}; it was {known}")
            )

    def close_requests(self) -> None:
        for closed in self.after.get("requests", ()):
            self.put("request", (closed["id"],), status=closed["status"])


def _model(step: _Step) -> None:
    key = (step.obj["model"],)
    if step.leaf["act"] in ("model:created", "model:imported"):
        step.put("model", key, deleted=False, description="")
    if "name" in step.after:
        step.put("model", key, name=step.after["name"])
        step.name(step.after["name"])
    if "description" in step.leaf["texts"]:
        step.put("model", key, description=step.text("description"))
    if step.after.get("deleted"):
        step.put("model", key, deleted=True)
        step.name(None)
    step.set_tags("model_tag", key)


def _version(step: _Step) -> None:
    key = (step.obj["model"], step.obj["version"])
    if step.leaf["act"] in ("version:created", "version:imported"):
        step.put(
            "version",
            key,
            id=step.after["id"],
            source=step.after["source"],
            author=step.text("author", step.text("actor", ANONYMOUS)),
            run=step.after["run"],
            logged_model=step.after["logged_model"],
            manifest=step.obj["manifest"],
            stage="None",
            description="",
            deleted=False,
            # What was registered before contracts were compared has its number as the major one.
            semver=step.after.get("semver", f"{key[1]}.0.0"),
            semver_fixed=step.after.get("semver_fixed", False),
            state="active",
            ending_reason="",
            ending_by=ANONYMOUS,
            ending_ms=None,
            replacement=None,
            blocks_ms=None,
        )
    elif "semver" in step.after:
        step.expect("version", key, "semver", step.leaf["pre"]["semver"], None)
        step.put("version", key, semver=step.after["semver"], semver_fixed=True)
    elif "manifest" in step.after:
        step.expect("version", key, "manifest", step.leaf["pre"]["manifest"], None)
        step.put("version", key, manifest=step.after["manifest"])
    for place, deed in enumerate(step.after.get("hands", ())):
        step.put("version_hand", (*key, place), name=step.text(f"hand.{place}"), deed=deed)
    if step.leaf["act"] == "version:imported":
        step.put("imported_version", key, importer=step.text("actor", ANONYMOUS))
    if "description" in step.leaf["texts"]:
        step.put("version", key, description=step.text("description"))
    if step.after.get("deleted"):
        step.put("version", key, deleted=True)
    step.set_tags("version_tag", key)


def _ending(step: _Step) -> None:
    key = (step.obj["model"], step.obj["version"])
    step.expect("version", key, "state", step.leaf["pre"]["state"], "active")
    facts = {name: step.after[name] for name in ("state", "replacement", "blocks_ms")}
    step.put(
        "version",
        key,
        ending_reason=step.text("reason"),
        ending_by=step.text("actor", ANONYMOUS),
        ending_ms=step.at_ms,
        **facts,
    )


def _paper(step: _Step) -> None:
    paper = step.after["document"]
    key = (step.obj["model"], step.obj["version"], paper["name"], paper["revision"])
    facts = {name: paper[name] for name in ("media_type", "sha256", "size_bytes")}
    step.put("paper", key, author=step.text("actor", ANONYMOUS), **facts)


def _resource(step: _Step) -> None:
    key, after = (step.obj["resource"],), step.after
    if step.leaf["act"] == "resource:created":
        step.put("resource", key, kind=step.obj["kind"], name=step.obj["name"], deleted=False)
    if "revision" in after:
        facts = {name: after[name] for name in ("status", "sha256")}
        by = step.text("actor", ANONYMOUS)
        step.put("resource", key, revision=after["revision"])
        step.put("resource_revision", (*key, after["revision"]), author=by, **facts)
    if after.get("deleted"):
        step.put("resource", key, deleted=True)
    step.set_tags("resource_tag", key)


def _group_policy(step: _Step) -> None:
    key = (step.obj["model"],)
    if step.leaf["act"] == "model:policy:set":
        by = step.text("actor", ANONYMOUS)
        step.put("group_policy", key, sha256=step.after["sha256"], author=by)
    else:
        step.ledger.drop("group_policy", key)


def _comment(step: _Step) -> None:
    key = (step.obj["request"], step.index)
    step.put("comment", key, name=step.text("actor", ANONYMOUS), text=step.text("comment"))


def _reminded(step: _Step) -> None:
    for request in step.after["reminded"]:
        step.put("request", (request,), reminded_ms=step.at_ms)


def _emergency(step: _Step) -> None:
    told = step.after["emergency"]
    if step.leaf["act"] == "version:stage:forced":
        step.put(
            "emergency",
            (told["id"],),
            version=(step.obj["model"], step.obj["version"]),
            target=told["target"],
            due_ms=told["due_ms"],
            opened_by=step.text("actor", ANONYMOUS),
            reason=step.text("reason"),
            status="open",
            reviewed_by="",
            review="",
        )
    else:
        step.put("emergency", (told["id"],), status=told["status"])
    if step.leaf["act"] == "emergency:review:done":
        by, text = step.text("actor", ANONYMOUS), step.text("comment")
        step.put("emergency", (told["id"],), reviewed_by=by, review=text)


def _hold(step: _Step) -> None:
    by, reason = step.text("actor", ANONYMOUS), step.text("reason")
    key = (step.after["hold"],)
    if step.leaf["act"] == "version:hold:placed":
        version = (step.obj["model"], step.obj["version"])
        step.put("hold", key, version=version, placed_by=by, reason=reason)
        by, reason = "", ""
    step.put("hold", key, released_by=by, released_reason=reason)


def _policy(step: _Step) -> None:
    after = step.after
    step.put("policy", (after["revision"],), digest=after["policy"], source_digest=after["source"])


def _request(step: _Step) -> None:
    opened = next(r for r in step.after["requests"] if r["status"] == "pending")
    step.put(
        "request",
        (opened["id"],),
        version=(step.obj["model"], step.obj["version"]),
        source=step.leaf["pre"]["stage"],
        target=step.after["target"],
        requested_by=step.text("actor", ANONYMOUS),
        lent_by=step.text("lent_by"),
        reason=step.text("reason"),
        archive_existing=step.after["archive_existing"],
        returns_to=step.after["returns_to"],
        epoch=step.after["epoch"],
        expires_ms=step.after["expires_ms"],
        subject=step.after["subject"],
        evidence=step.leaf["why"]["evidence"],
        policy=step.leaf["why"]["policy"],
        reminded_ms=None,
    )


def _vote(step: _Step) -> None:
    key = (step.obj["request"], step.index)
    step.put(
        "vote",
        key,
        name=step.text("actor"),
        verdict=step.after["verdict"],
        comment=step.text("comment"),
    )


def _webhook(step: _Step) -> None:
    key, after = (step.obj["webhook"],), step.after
    if step.leaf["act"] == "webhook:created":
        step.put("webhook", key, description="", deleted=False, sns_topic="", terms="")
    texts = ("name", "url", "description")
    values = {name: step.text(name) for name in texts if name in step.leaf["texts"]}
    facts = ("status", "signed", "deleted", "sns_topic", "terms")
    values |= {name: after[name] for name in facts if name in after}
    if "topics" in after:
        values["topics"] = " ".join(after["topics"])
    step.put("webhook", key, **values)


def _rule(step: _Step) -> None:
    key, after = (step.obj["rule"],), step.after
    if step.leaf["act"] == "rule:deleted":
        return step.ledger.drop("rule", key)
    facts = {name: after[name] for name in ("pattern", "state", "targets")}
    return step.put("rule", key, description=step.text("description"), **facts)


def _topic(step: _Step) -> None:
    key = (step.obj["topic"],)
    if step.leaf["act"] == "topic:deleted":
        return step.ledger.drop("topic", key)
    if step.leaf["act"] == "topic:created":
        step.put("topic", key, signature_version=1, display_name="")
    return step.put("topic", key, **step.after)


def _stamp(step: _Step) -> None:
    step.put("stamp", (step.obj["stamp"],), certificate=step.after["certificate"])


def _account(step: _Step) -> None:
    key, after = (step.obj["account"],), step.after
    if step.leaf["act"] == "account:created":
        step.put("account", key, disabled=False, deleted=False, reset_ms=None)
        step.put("account", key, name=step.text("name"))
    names = ("kind", "owner", "password", "disabled", "deleted")
    step.put("account", key, **{name: after[name] for name in names if name in after})
    if "password" in after:
        step.put("account", key, password_by=step.text("lent_by"))
    if after.get("reset"):
        step.put("account", key, reset_ms=step.at_ms)
    if after.get("deleted"):
        step.put("account", key, name=f"deleted-{key[0]}")
        for grant in [g for g in step.ledger.tables.get("grant", {}) if g[0] == key[0]]:
            step.ledger.drop("grant", grant)
    _revoked(step)


def _token(step: _Step) -> None:
    names = ("account", "kind", "digest", "expires_ms")
    values = {name: step.after[name] for name in names}
    values["account_number"] = step.after.get("account_number", "")  # of an access key alone
    texts = {"label": step.text("label"), "lent_by": step.text("lent_by")}
    step.put("token", (step.obj["token"],), **values, **texts, revoked=False)


def _revoked(step: _Step) -> None:
    for token in step.after.get("revoked", ()):
        step.put("token", (token,), revoked=True)


def _grant(step: _Step) -> None:
    key = (step.obj["account"], step.after["role"], step.after["scope"])
    if step.leaf["act"] == "grant:added":
        step.put("grant", key)
    else:
        step.ledger.drop("grant", key)


def _origin(step: _Step) -> None:
    after = step.after
    key = (step.obj["origin"],)
    step.put("origin", key, name=after["name"], vkey=after["vkey"], opened_ms=step.at_ms)


_HANDLERS = {
    "model:created": _model,
    "model:imported": _model,
    "model:renamed": _model,
    "model:described": _model,
    "model:deleted": _model,
    "model:tag:set": _model,
    "model:tag:deleted": _model,
    "model:policy:set": _group_policy,
    "model:policy:deleted": _group_policy,
    "resource:created": _resource,
    "resource:revised": _resource,
    "resource:deleted": _resource,
    "resource:tag:set": _resource,
    "resource:tag:deleted": _resource,
    "version:created": _version,
    "version:imported": _version,
    "version:described": _version,
    "version:deleted": _version,
    "version:semver:raised": _version,
    "version:bytes:verified": _version,
    "version:tag:set": _version,
    "version:tag:deleted": _version,
    "version:deprecated": _ending,
    "version:blocked": _ending,
    "version:retired": _ending,
    "version:reinstated": _ending,
    "version:document:attached": _paper,
    "policy:revision:applied": _policy,
    "approval:request:opened": _request,
    "approval:vote:cast": _vote,
    "approval:comment:added": _comment,
    "approval:request:reminded": _reminded,
    "version:stage:forced": _emergency,
    "version:hold:placed": _hold,
    "version:hold:released": _hold,
    "emergency:review:done": _emergency,
    "emergency:review:overdue": _emergency,
    "webhook:created": _webhook,
    "webhook:changed": _webhook,
    "webhook:disabled": _webhook,
    "webhook:deleted": _webhook,
    "rule:set": _rule,
    "rule:deleted": _rule,
    "topic:created": _topic,
    "topic:changed": _topic,
    "topic:deleted": _topic,
    "topic:stamp:made": _stamp,
    "account:created": _account,
    "account:disabled": _account,
    "account:enabled": _account,
    "account:deleted": _account,
    "account:password:set": _account,
    "token:created": _token,
    "token:revoked": _revoked,
    "grant:added": _grant,
    "grant:removed": _grant,
    "journal:origin:forked": _origin,
}
