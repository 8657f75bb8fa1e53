"""What a package loads is frozen with it, all of it, or it is not verified. On both databases."""

import hashlib
import re
from typing import Any

import pytest

from modelkeep.domain.errors import Conflict, InvalidInput, NoPackage
from modelkeep.domain.manifests import Manifest
from modelkeep.domain.models import PENDING, READY, Version
from modelkeep.domain.packages import Package
from modelkeep.protocols.aws.calls import REGION, Place
from modelkeep.protocols.aws.sagemaker.described import described
from modelkeep.services import intake, makers, packages
from modelkeep.services.loadables import Listing
from modelkeep.services.packages import Change, Registration
from modelkeep.services.steps import End
from tests.support.core import ANN, BOB, Core

PLACE = Place(REGION, "000000000000")
RUNS, MORE, ALGORITHMS = (
    "InferenceSpecification",
    "AdditionalInferenceSpecifications",
    "SourceAlgorithmSpecification",
)
VERIFIED = {"stage_transitions": {"None -> Production": {"artifact_verified": True}}}


def container(address: str) -> dict[str, Any]:
    return {"Image": "i", "ModelDataUrl": address}


def under(prefix: str) -> dict[str, Any]:
    data = {"S3Uri": prefix, "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"Image": "i", "ModelDataSource": {"S3DataSource": data}}


def runs(*containers: dict[str, Any]) -> dict[str, Any]:
    return {RUNS: {"Containers": list(containers)}}


@pytest.fixture
def grouped(core: Core) -> Core:
    core.model()
    for name in ("one", "two", "folder/a", "folder/b/c"):
        core.put(f"s3/ours/{name}", name)
    return core


def register(core: Core, source: str = "s3://ours/one", /, **facts: Any) -> Version:
    made = core.write(packages.register, ANN, Registration("churn", source, **facts))
    return core.get(made.number)


def found(core: Core, number: int = 1) -> Package:
    return core.read(packages.find, "churn", number)


def told(core: Core, number: int = 1, *, to_guest: bool = False) -> dict[str, Any]:
    return described(PLACE, found(core, number), to_guest=to_guest)


def files(core: Core, version: Version) -> list[str]:
    manifest: Manifest | None = core.read(lambda work: work.artifacts.frozen(version.id))
    return [file.path for file in manifest.files] if manifest else []


EVERYWHERE = {
    **runs(container("s3://ours/one"), container("s3://ours/two")),
    MORE: [{"Name": "gpu", "Containers": [under("s3://ours/folder/")]}],
    ALGORITHMS: {"SourceAlgorithms": [container("s3://ours/third")]},
}


def test_all_that_a_package_loads_is_frozen_wherever_it_names_it(grouped: Core) -> None:
    grouped.put("s3/ours/third", "by Bob", by=BOB)
    version = register(grouped, said=EVERYWHERE)
    assert files(grouped, version) == [
        "ours/folder/a",
        "ours/folder/b/c",
        "ours/one",
        "ours/third",
        "ours/two",
    ]
    assert {k: told(grouped)[k] for k in EVERYWHERE} == EVERYWHERE
    assert makers.reasons(grouped.read(makers.known, version)).keys() == {"ann", "bob"}
    for name in ("two", "folder/b/c", "third"):
        grouped.put(f"s3/ours/{name}", "evil", by=BOB)
    shown, at = told(grouped), f"s3://modelkeep/versions/{version.id}/ours"
    first, second = shown[RUNS]["Containers"]
    assert (first["ModelDataUrl"], second["ModelDataUrl"]) == ("s3://ours/one", f"{at}/two")
    ((more,),) = (one["Containers"] for one in shown[MORE])
    assert more["ModelDataSource"]["S3DataSource"]["S3Uri"] == f"{at}/folder/"
    assert shown[ALGORITHMS]["SourceAlgorithms"][0]["ModelDataUrl"] == f"{at}/third"
    first = told(grouped, to_guest=True)[RUNS]["Containers"][0]
    assert first["ModelDataUrl"] == f"{at}/one"


def test_a_prefix_is_told_where_it_is_frozen_once_anything_under_it_is_another(
    grouped: Core,
) -> None:
    version = register(grouped, "s3://ours/folder/", said=runs(under("s3://ours/folder/")))
    assert files(grouped, version) == ["a", "b/c"]
    assert found(grouped).replaced == frozenset()
    grouped.put("s3/ours/folder/more", "more")
    (one,) = told(grouped)[RUNS]["Containers"]
    address = one["ModelDataSource"]["S3DataSource"]["S3Uri"]
    assert address == f"s3://modelkeep/versions/{version.id}/"


@pytest.mark.parametrize("source", ["s3://ours/one", "s3://others/x"])
def test_a_package_that_loads_something_of_others_is_not_verified(
    grouped: Core, source: str
) -> None:
    grouped.apply(VERIFIED)
    said = runs(container("s3://ours/one"), container("s3://others/x"))
    version = register(grouped, source, said=said)
    assert (version.manifest, version.status) == (None, READY)
    assert "it loads s3://others/x" in version.status_message
    assert grouped.promote(version.number, "Production").end is End.REFUSED
    register(grouped, said=runs(container("s3://ours/one")))
    assert grouped.promote(2, "Production").end is End.MOVED


def test_a_package_waits_for_every_object_that_is_not_hashed(grouped: Core) -> None:
    grouped.write(intake.land, ANN, "s3/ours/big", "key", 5 << 20)
    said = runs(container("s3://ours/one"), container("s3://ours/big"))
    version = register(grouped, said=said)
    assert (version.manifest, version.status) == (None, PENDING)
    (arrival,) = grouped.write(intake.arrivals, 10)
    grouped.write(intake.settle, arrival, "5" * 64, grouped.clock.now_ms())
    assert files(grouped, version) == ["ours/big", "ours/one"]
    assert told(grouped)[RUNS] == said[RUNS]
    grouped.put("s3/ours/big", "evil")
    big = told(grouped)[RUNS]["Containers"][1]["ModelDataUrl"]
    assert big == f"s3://modelkeep/versions/{version.id}/ours/big"


def test_a_clone_knows_where_its_originals_files_lie(grouped: Core) -> None:
    register(grouped, said=runs(container("s3://ours/one")))
    register(grouped, said=runs(container("s3://ours/one"), container("s3://ours/two")))
    for number in (1, 2):
        register(grouped, "", clone_of=("churn", number))
    grouped.put("s3/ours/one", "evil")
    for number, inner in ((3, "one"), (4, "ours/one")):
        version = grouped.get(number)
        assert version.manifest == grouped.get(number - 2).manifest
        address = told(grouped, number)[RUNS]["Containers"][0]["ModelDataUrl"]
        assert address == f"s3://modelkeep/versions/{version.id}/{inner}"
    more = {MORE: [{"Name": "gpu", "Containers": [container("s3://ours/two")]}]}
    added = register(grouped, "", clone_of=("churn", 1), said=more)
    assert (added.manifest, "s3://ours/two" in added.status_message) == (None, True)


def test_a_verified_package_loads_nothing_else_after_a_change(grouped: Core) -> None:
    version = register(grouped, said=runs(container("s3://ours/one")))
    register(grouped, "s3://others/x", said=runs(container("s3://others/x")))

    def change(number: int, address: str) -> None:
        said = runs(container(address))
        wanted = Change(say=lambda _: said, runs=True)
        grouped.write(packages.change, ANN, "churn", number, wanted)

    for address in ("s3://ours/two", "s3://others/x", "s3://modelkeep/versions/99/m"):
        with pytest.raises(InvalidInput, match=f"{address} is not part of it"):
            change(1, address)
    change(1, f"s3://modelkeep/versions/{version.id}/one")
    change(1, "s3://ours/one")
    change(2, "s3://others/y")  # which nobody ever called verified


def test_an_address_of_ours_where_nothing_lies_is_refused(grouped: Core) -> None:
    for said in ({}, runs(container("s3://ours/one"), container("s3://ours/typo"))):
        source = "s3://ours/one" if said else "s3://ours/typo"
        with pytest.raises(InvalidInput, match="no object at s3://ours/typo"):
            register(grouped, source, said=said)
    with pytest.raises(InvalidInput, match="no object at s3://ours/typo"):
        grouped.register("churn", "s3://ours/typo")
    assert register(grouped, "s3://never-used/typo").manifest is None


# -- lists of files ------------------------------------------------------------------------------

LIST = "s3://ours/folder/list"


def listing(*addresses: str) -> str:
    return "\n".join(addresses)


def by_list(core: Core, content: str, *, read: str | None = None) -> Registration:
    """A package that names a list which lies there; `read` is what it was when it was
    read, or nothing where it was not there yet."""
    core.put("s3/ours/folder/list", content)
    data = {"S3Uri": "s3://ours/one", "ManifestS3Uri": LIST}
    said = runs({"Image": "i", "ModelDataSource": {"S3DataSource": data}})
    given = (content if read is None else read).encode()
    lists = {LIST: Listing(hashlib.sha256(given).hexdigest(), given)} if given else {}
    return Registration("churn", "s3://ours/one", said=said, lists=lists)


def test_what_a_list_names_is_frozen_with_the_package(grouped: Core) -> None:
    grouped.put("s3/ours/third", "by Bob", by=BOB)
    content = listing("s3://ours/two", "s3://ours/folder/b/", "s3://ours/third")
    made = grouped.write(packages.register, ANN, by_list(grouped, content))
    version = grouped.get(made.number)
    whole = ["ours/folder/b/c", "ours/folder/list", "ours/one", "ours/third", "ours/two"]
    assert files(grouped, version) == whole
    assert makers.reasons(grouped.read(makers.known, version)).keys() == {"ann", "bob"}
    assert set(found(grouped).frozen) == {"s3://ours/one", LIST}
    grouped.put("s3/ours/two", "evil", by=BOB)
    grouped.put("s3/ours/folder/list", listing("s3://ours/evil"), by=BOB)
    (one,) = told(grouped)[RUNS]["Containers"]
    data = one["ModelDataSource"]["S3DataSource"]
    assert data["ManifestS3Uri"] == f"s3://modelkeep/versions/{version.id}/ours/folder/list"
    assert files(grouped, grouped.get(1)) == whole
    copy = Registration("churn", "", clone_of=("churn", 1))
    again = grouped.get(grouped.write(packages.register, ANN, copy).number)
    assert again.manifest == version.manifest


def test_a_package_whose_list_names_something_of_others_is_not_verified(grouped: Core) -> None:
    wanted = by_list(grouped, listing("s3://ours/two", "s3://others/x"))
    version = grouped.get(grouped.write(packages.register, ANN, wanted).number)
    assert version.manifest is None
    assert "it loads s3://others/x" in version.status_message


@pytest.mark.parametrize(
    ("content", "read", "why"),
    [
        ("s3://ours/none", None, "There is no object at s3://ours/none"),
        ("nothing", None, f"The manifest {LIST} lists no address."),
        ("s3://ours/two", "s3://ours/one", f"The manifest {LIST} has changed while it was read"),
        ("s3://ours/two", "", f"The manifest {LIST} has changed while it was read"),
    ],
)
def test_a_list_that_cannot_be_taken_is_refused_and_nothing_is_registered(
    grouped: Core, content: str, read: str | None, why: str
) -> None:
    wanted = by_list(grouped, content, read=read)
    with pytest.raises((InvalidInput, Conflict), match=re.escape(why)):
        grouped.write(packages.register, ANN, wanted)
    with pytest.raises(NoPackage):
        found(grouped)


def listed(address: str) -> dict[str, Any]:
    data = {"S3Uri": "s3://ours/one", "ManifestS3Uri": address}
    return {"Image": "i", "ModelDataSource": {"S3DataSource": data}}


def test_a_frozen_file_is_no_list_afterwards_and_a_list_stays_one(grouped: Core) -> None:
    """What a file lists that was taken for none was never looked at."""
    grouped.put("s3/ours/two", "s3://ours/folder/a")
    plain = runs(container("s3://ours/one"), container("s3://ours/two"))
    version = register(grouped, said=plain)

    def change(number: int, address: str) -> None:
        change = Change(say=lambda _: runs(listed(address)), runs=True)
        grouped.write(packages.change, BOB, "churn", number, change)

    own = f"s3://modelkeep/versions/{version.id}/ours/two"
    for address in ("s3://ours/two", own):
        with pytest.raises(InvalidInput, match="is not part of it"):
            change(1, address)
    copy = Registration("churn", "", clone_of=("churn", 1), said=runs(listed("s3://ours/two")))
    copied = grouped.get(grouped.write(packages.register, ANN, copy).number)
    assert (copied.manifest, "it loads s3://ours/two" in copied.status_message) == (None, True)

    made = grouped.write(packages.register, ANN, by_list(grouped, "s3://ours/two"))
    for address in (LIST, f"s3://modelkeep/versions/{made.id}/ours/folder/list"):
        change(made.number, address)
        assert grouped.get(made.number).manifest == made.manifest
