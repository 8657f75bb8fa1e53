"""Aliases from the command line."""

from modelkeep_client import Client
from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep

POLICY = """
model_registry:
  stage_transitions:
    None -> Production: {approval_required: true}
  aliases: {champion: Production}
"""


def test_aliases_are_pointed_moved_and_taken_away(start_server: StartServer) -> None:
    url = start_server().url

    def alias(*words: str) -> Outcome:
        return modelkeep("alias", *words, url=url, user="ann")

    with Client(url, user="ann") as client:
        client.create_model("churn")
        for _ in range(2):
            client.register("churn", source="s3://bucket/churn")
        pointed = alias("set", "churn/1", "challenger")
        assert (pointed.code, pointed.err) == (0, "")
        assert pointed.out == "churn/1 is in None\nalias:challenger is at epoch 1.\n"
        named = alias("set", "churn@challenger", "shadow", "--json")
        assert named.json["version"]["aliases"] == ["challenger", "shadow"]
        late = alias("set", "churn/2", "challenger", "--epoch", "0")
        assert (late.code, "alias:challenger is at epoch 1, not 0" in late.err) == (1, True)
        assert alias("delete", "churn", "shadow", "--epoch", "1").code == 0
        assert client.version("churn", 1).aliases == ("challenger",)
        assert alias("delete", "churn", "shadow").code == 1
        client.policies.apply(POLICY)
        waits = alias("set", "churn/2", "champion")
        assert (waits.code, "waits to enter Production" in waits.out) == (2, True)
