"""The holder of shapes itself."""

import botocore.session

from tests.conformance.aws.shapes import complaints


def test_what_is_missing_and_words_that_are_none_are_told() -> None:
    model = botocore.session.Session().get_service_model("iam")
    shape = model.operation_model("SimulatePrincipalPolicy").output_shape
    answer = {"EvaluationResults": [{"EvalActionName": "a", "EvalDecision": "perhaps"}]}
    (found,) = complaints(shape, answer)
    assert found.startswith(".EvaluationResults[0].EvalDecision is 'perhaps'")
    del answer["EvaluationResults"][0]["EvalActionName"]
    answer["EvaluationResults"][0]["EvalDecision"] = "allowed"
    assert list(complaints(shape, answer)) == [".EvaluationResults[0].EvalActionName is missing"]
    assert list(complaints(None, {})) == []
