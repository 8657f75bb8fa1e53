"""Evidence: what is frozen stays the same, and its digest says so."""

import hashlib
import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.domain.evidence import Dataset, Evidence

texts = st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4)
metrics = st.dictionaries(st.text(max_size=12), st.floats(), max_size=6)
datasets = st.lists(st.builds(Dataset, st.text(max_size=5), st.text(max_size=5)), max_size=3)
bundles = st.builds(
    Evidence.gather,
    tags=texts,
    params=texts,
    metrics=metrics,
    run_tags=texts,
    datasets=datasets,
    git_commit=st.none() | st.text(max_size=5),
    run_id=st.none() | st.text(max_size=5),
    logged_model_id=st.none() | st.text(max_size=5),
    authors=st.lists(st.text(max_size=5), max_size=3),
)


@given(bundles)
def test_a_bundle_survives_being_stored_as_canonical_json(bundle: Evidence) -> None:
    stored = rfc8785.dumps(bundle.to_json())
    back = Evidence.from_json(json.loads(stored))
    assert rfc8785.dumps(back.to_json()) == stored
    assert back.digest() == bundle.digest()
    assert back.datasets == bundle.datasets
    assert back.metrics.keys() == bundle.metrics.keys()


@given(bundles, st.randoms())
def test_the_order_things_come_in_does_not_matter(bundle: Evidence, random) -> None:
    pairs, sets, people = list(bundle.metrics.items()), [*bundle.datasets], [*bundle.authors]
    for each in (pairs, sets, people):
        random.shuffle(each)
    again = Evidence.from_json(
        {**bundle.to_json(), "datasets": [vars_of(d) for d in sets], "authors": people}
    )
    assert again.digest() == bundle.digest()
    shuffled = Evidence.gather(metrics=dict(pairs)).digest()
    assert shuffled == Evidence.gather(metrics=bundle.metrics).digest()


def vars_of(dataset: Dataset) -> dict[str, str]:
    return {"name": dataset.name, "digest": dataset.digest, "source": dataset.source}


def test_numbers_that_are_none_have_names() -> None:
    bundle = Evidence.gather(metrics={"a": math.nan, "b": math.inf, "c": -math.inf})
    assert bundle.to_json()["metrics"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity"}
    back = Evidence.from_json(bundle.to_json()).metrics
    assert math.isnan(back["a"])
    assert (back["b"], back["c"]) == (math.inf, -math.inf)


def test_instructions_to_us_are_no_evidence() -> None:
    tags = {"tested": "yes", "modelkeep.reason": "because"}
    bundle = Evidence.gather(tags=tags, run_tags=tags)
    assert dict(bundle.tags) == dict(bundle.run_tags) == {"tested": "yes"}
    assert bundle.digest() == Evidence.gather(tags={"tested": "yes"}, run_tags=bundle.tags).digest()


def test_any_other_difference_is_another_digest() -> None:
    differing = [
        Evidence.gather(),
        Evidence.gather(tags={"a": "1"}),
        Evidence.gather(params={"a": "1"}),
        Evidence.gather(run_tags={"a": "1"}),
        Evidence.gather(metrics={"a": 1.0}),
        Evidence.gather(metrics={"a": math.nan}),
        Evidence.gather(metrics={"a": math.inf}),
        Evidence.gather(datasets=[Dataset("a", "1")]),
        Evidence.gather(datasets=[Dataset("a", "1", "s3://b")]),
        Evidence.gather(git_commit="a"),
        Evidence.gather(run_id="a"),
        Evidence.gather(logged_model_id="a"),
        Evidence.gather(authors=["a"]),
    ]
    assert len({bundle.digest() for bundle in differing}) == len(differing)


def test_the_digest_of_version_1_is_for_ever() -> None:
    bundle = Evidence.gather(
        tags={"tested": "yes"},
        params={"depth": "3"},
        metrics={"accuracy": 0.95, "loss": math.nan},
        datasets=[Dataset("iris", "abc", "file:iris.csv")],
        git_commit="0123456",
        run_id="r1",
        authors=["ann"],
    )
    written = (
        '{"authors":["ann"],'
        '"datasets":[{"digest":"abc","name":"iris","source":"file:iris.csv"}],'
        '"git_commit":"0123456","logged_model_id":null,'
        '"metrics":{"accuracy":0.95,"loss":"NaN"},"params":{"depth":"3"},'
        '"run_id":"r1","run_tags":{},"tags":{"tested":"yes"},"v":1}'
    )
    assert bundle.digest() == "sha256:" + hashlib.sha256(written.encode()).hexdigest()


def test_what_was_gathered_cannot_be_changed_behind_its_back() -> None:
    mine = {"accuracy": 0.5}
    bundle = Evidence.gather(metrics=mine)
    mine["accuracy"] = 0.99
    assert bundle.metrics["accuracy"] == 0.5
    with pytest.raises(TypeError):
        bundle.metrics["accuracy"] = 0.99  # type: ignore[index]


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"metrics": {"a": "high"}},
        {"metrics": {"a": True}},
        {"tags": {"a": 1}},
        {"authors": None},
        {"extra": 1},
    ],
)
def test_what_is_no_stored_bundle_is_not_taken_for_one(change: dict) -> None:
    with pytest.raises(IntegrityFailure):
        Evidence.from_json({**Evidence.gather().to_json(), **change})
    with pytest.raises(IntegrityFailure):
        Evidence.from_json(None)


def test_text_without_a_canonical_form_is_refused_and_not_hashed() -> None:
    with pytest.raises(InvalidInput):
        Evidence.gather(tags={"a": "\ud800"}).digest()
