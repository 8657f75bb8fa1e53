"""What a model card may say: the fields of SageMaker's model card schema, and their limits.

Source: the guide's page on model cards ("Model card JSON schema", version 0.1.0). Where the schema
counts with `maxContains`, which stands alone there and so says nothing, its number is a limit here.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from modelkeep.domain.errors import InvalidInput

_Line = Annotated[str, Meta(max_length=1024)]
_Text = Annotated[str, Meta(max_length=2048)]
_Observation = Annotated[str, Meta(max_length=2096)]
_Arn = Annotated[str, Meta(max_length=256)]
_Label = Annotated[str, Meta(max_length=63)]
_Title = Annotated[str, Meta(min_length=1, max_length=63)]
_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Lines = Annotated[list[_Line], Meta(max_length=15)]
_Fields = dict[str, _Line]


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    """A part that has no other fields than these."""


class InferenceEnvironment(_Part):
    container_image: _Lines | UnsetType = UNSET


class ModelOverview(_Part):
    model_id: _Line | UnsetType = UNSET
    model_name: _Line | UnsetType = UNSET
    model_description: _Line | UnsetType = UNSET
    model_version: Annotated[float, Meta(ge=1)] | UnsetType = UNSET
    problem_type: str | UnsetType = UNSET
    algorithm_type: _Line | UnsetType = UNSET
    model_creator: _Line | UnsetType = UNSET
    model_owner: _Line | UnsetType = UNSET
    model_artifact: _Lines | UnsetType = UNSET
    inference_environment: InferenceEnvironment | UnsetType = UNSET


class SourceAlgorithm(_Part):
    algorithm_name: Annotated[str, Meta(max_length=170)]
    model_data_url: _Line | UnsetType = UNSET


class Container(_Part):
    image: Annotated[str, Meta(max_length=255)]
    model_data_url: _Line | UnsetType = UNSET
    nearest_model_name: str | UnsetType = UNSET


class InferenceSpecification(_Part):
    containers: Annotated[list[Container], Meta(min_length=1, max_length=15)]


class Creator(_Part):
    user_profile_name: _Label | UnsetType = UNSET


class ModelPackageDetails(_Part):
    model_package_description: _Line | UnsetType = UNSET
    model_package_arn: _Line | UnsetType = UNSET
    created_by: Creator | UnsetType = UNSET
    model_package_status: str | UnsetType = UNSET
    model_approval_status: str | UnsetType = UNSET
    approval_description: _Line | UnsetType = UNSET
    model_package_group_name: _Label | UnsetType = UNSET
    model_package_name: _Label | UnsetType = UNSET
    model_package_version: Annotated[float, Meta(ge=1)] | UnsetType = UNSET
    domain: str | UnsetType = UNSET
    task: str | UnsetType = UNSET
    source_algorithms: Annotated[list[SourceAlgorithm], Meta(max_length=1)] | UnsetType = UNSET
    inference_specification: InferenceSpecification | UnsetType = UNSET


class IntendedUses(_Part):
    purpose_of_model: _Text | UnsetType = UNSET
    intended_uses: _Text | UnsetType = UNSET
    factors_affecting_model_efficiency: _Text | UnsetType = UNSET
    risk_rating: Literal["High", "Medium", "Low", "Unknown"] | UnsetType = UNSET
    explanations_for_risk_rating: _Text | UnsetType = UNSET


class BusinessDetails(_Part):
    business_problem: _Text | UnsetType = UNSET
    business_stakeholders: _Text | UnsetType = UNSET
    line_of_business: _Text | UnsetType = UNSET


class Function(_Part):
    function: Literal["Maximize", "Minimize"] | UnsetType = UNSET
    facet: _Label | UnsetType = UNSET
    condition: _Label | UnsetType = UNSET


class ObjectiveFunction(msgspec.Struct, kw_only=True):  # the schema lets it have other fields too
    function: Function | UnsetType = UNSET
    notes: _Line | UnsetType = UNSET


class TrainingEnvironment(_Part):
    container_image: _Lines | UnsetType = UNSET


class TrainingMetric(_Part):
    name: _Name
    value: float
    notes: _Line | UnsetType = UNSET


class HyperParameter(_Part):
    name: _Name
    value: _Name


_Metrics = Annotated[list[TrainingMetric], Meta(max_length=50)]
_HyperParameters = Annotated[list[HyperParameter], Meta(max_length=100)]


class TrainingJobDetails(_Part):
    training_arn: _Line | UnsetType = UNSET
    training_datasets: _Lines | UnsetType = UNSET
    training_environment: TrainingEnvironment | UnsetType = UNSET
    training_metrics: _Metrics | UnsetType = UNSET
    user_provided_training_metrics: _Metrics | UnsetType = UNSET
    hyper_parameters: _HyperParameters | UnsetType = UNSET
    user_provided_hyper_parameters: _HyperParameters | UnsetType = UNSET


class TrainingDetails(_Part):
    objective_function: ObjectiveFunction | UnsetType = UNSET
    training_observations: _Line | UnsetType = UNSET
    training_job_details: TrainingJobDetails | UnsetType = UNSET


class _Metric(_Part, tag_field="type"):
    """A value that was measured; its `type` says of what kind it is."""

    name: _Name
    notes: _Line | UnsetType = UNSET


class _Simple(_Metric, kw_only=True):
    value: float | _Label | bool
    x_axis_name: _Label | UnsetType = UNSET
    y_axis_name: _Label | UnsetType = UNSET


class Number(_Simple, tag="number"):
    pass


class String(_Simple, tag="string"):
    pass


class Boolean(_Simple, tag="boolean"):
    pass


class LinearGraph(_Metric, kw_only=True, tag="linear_graph"):
    value: Annotated[list[tuple[float, float]], Meta(min_length=1)]
    x_axis_name: _Label | UnsetType = UNSET
    y_axis_name: _Label | UnsetType = UNSET


class BarChart(_Metric, kw_only=True, tag="bar_chart"):
    value: Annotated[list[float], Meta(min_length=1)]
    x_axis_name: list[_Label] | UnsetType = UNSET
    y_axis_name: _Label | UnsetType = UNSET


class Matrix(_Metric, kw_only=True, tag="matrix"):
    value: Annotated[
        list[Annotated[list[float], Meta(min_length=1, max_length=20)]],
        Meta(min_length=1, max_length=20),
    ]
    x_axis_name: list[_Label] | UnsetType = UNSET
    y_axis_name: list[_Label] | UnsetType = UNSET


class MetricGroup(msgspec.Struct, kw_only=True):  # the schema lets it have other fields too
    name: _Title
    metric_data: list[Number | String | Boolean | LinearGraph | BarChart | Matrix]


class EvaluationDetail(_Part):
    name: _Title
    evaluation_observation: _Observation | UnsetType = UNSET
    evaluation_job_arn: _Arn | UnsetType = UNSET
    datasets: Annotated[list[_Line], Meta(max_length=10)] | UnsetType = UNSET
    metadata: _Fields | UnsetType = UNSET
    metric_groups: list[MetricGroup] | UnsetType = UNSET


class AdditionalInformation(_Part):
    ethical_considerations: _Text | UnsetType = UNSET
    caveats_and_recommendations: _Text | UnsetType = UNSET
    custom_details: _Fields | UnsetType = UNSET


class _Whole(_Part):
    """What either card may have."""

    intended_uses: IntendedUses | UnsetType = UNSET
    business_details: BusinessDetails | UnsetType = UNSET
    training_details: TrainingDetails | UnsetType = UNSET
    evaluation_details: list[EvaluationDetail] | UnsetType = UNSET
    additional_information: AdditionalInformation | UnsetType = UNSET


class Card(_Whole):
    model_overview: ModelOverview | UnsetType = UNSET
    model_package_details: ModelPackageDetails | UnsetType = UNSET


class PackageOverview(_Part):
    """Of the card of a package, which says the rest itself."""

    model_creator: _Line | UnsetType = UNSET
    model_artifact: _Lines | UnsetType = UNSET


class PackageCard(_Whole):
    """A card within a package. Source: botocore's documentation of ModelPackageModelCard."""

    model_overview: PackageOverview | UnsetType = UNSET


def check(content: str) -> None:
    """Raises InvalidInput, which says where the content is other than the schema has it."""
    _check("Content", content, Card)


def check_of_package(content: str) -> None:
    """As `check`, of the card of a package."""
    _check("ModelCardContent", content, PackageCard)


def _check(what: str, content: str, kind: type[Card | PackageCard]) -> None:
    try:
        msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{what} is not a model card: {error}.") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidInput(f"{what} is not valid JSON.") from None
