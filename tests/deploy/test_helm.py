"""The Helm chart: rendered by helm, held against Kubernetes' schemas and modelkeep's settings."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeep import __version__
from modelkeep.settings import STOP_LIMIT_S, Settings
from tests.conftest import StartServer
from tests.support.deploying import (
    DEPLOY,
    check_command,
    check_environment,
    longest_stop_s,
    outcome,
    program,
    ran,
)

CHART = DEPLOY / "helm" / "modelkeep"
SCHEMAS = ("1.27.0", "1.37.0")  # of the oldest Kubernetes that the chart is for, and a new one
Object = dict[str, Any]

PEM = Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
KEYS = {
    "databaseUrl": "postgresql://modelkeep:hunter2@db/modelkeep",
    "secretsKey": base64.b64encode(os.urandom(32)).decode(),
    "signingKey": base64.b64encode(os.urandom(32)).decode(),
    "journalKey": PEM.decode(),
}
SHARED: Object = {
    "database": {"kind": "postgresql"},
    "artifacts": "s3://models/registry",
    "replicas": 3,
    "secret": KEYS,
}
EXISTING = SHARED | {"secret": {"existing": "registry-keys"}}
EVERYTHING: Object = EXISTING | {
    "autoscaling": {"enabled": True},
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "host": "registry.example.org",
        "tlsSecret": "registry-tls",
    },
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "serviceMonitor": {"enabled": True, "tokenSecret": {"name": "scraper"}},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}},
    "s3EndpointUrl": "https://s3.example.org",
    "publicUrl": "https://registry.example.org/models",
    "allowedHosts": ["models.internal"],
    "settings": {"search_timeout_s": 60, "max_body_bytes": 20971520, "direct_transfers": False},
    "image": {"pullSecrets": ["registry"]},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "models", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "extraEnv": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel:4318"}],
}
WITH_S3: Object = {
    "artifacts": "s3://models/registry",
    "secret": {"awsAccessKeyId": "a", "awsSecretAccessKey": "b", "mailPassword": "c"},
    "settings": {"mail": "smtps://ann@mail.example.org", "mail_from": "ann@example.org"},
    "persistence": {"storageClass": "fast"},
}
SETS: dict[str, Object] = {
    "sqlite": {},
    "sqlite_with_s3": WITH_S3,
    "shared": SHARED,
    "existing": EXISTING,
    "everything": EVERYTHING,
}


@lru_cache
def _rendered(values: str) -> tuple[int, str]:
    return outcome(
        *(program("helm"), "template", "registry", CHART, "--namespace", "ml", "--values", "-"),
        given=values,
    )


def render(values: Object) -> list[Object]:
    code, said = _rendered(json.dumps(values))
    assert code == 0, said
    return [one for one in yaml.safe_load_all(said) if one]


def refused(values: Object) -> str:
    code, said = _rendered(json.dumps(values))
    assert code != 0
    return said


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """What each kind of pod is for, and its spec."""
    for one in objects:
        if one["kind"] in ("Deployment", "Job"):
            template = one["spec"]["template"]
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def kinds(objects: list[Object]) -> dict[str, Object]:
    return {one["kind"]: one for one in objects}


def secret_of(objects: list[Object]) -> dict[str, str]:
    """What its Secret holds; of an existing one, what values.yaml says that it must hold."""
    if "Secret" in kinds(objects):
        return kinds(objects)["Secret"]["stringData"]
    names = {"databaseUrl": "database-url", "secretsKey": "secrets-key"}
    names |= {"signingKey": "signing-key", "journalKey": "journal.key"}
    comment = (CHART / "values.yaml").read_text().partition("\nsecret:")[0].rpartition("\n\n")[2]
    assert all(name in comment for name in names.values())
    return {name: KEYS[key] for key, name in names.items()}


def environment(pod: Object, secret: dict[str, str]) -> dict[str, str]:
    """The variables of modelkeep that the pod's process sees."""
    found = {}
    for variable in pod["containers"][0]["env"]:
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            if reference["key"] in secret or not reference.get("optional"):
                found[variable["name"]] = secret[reference["key"]]
    return found


def test_helm_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    given = tmp_path / "values.json"
    for values in ({}, EVERYTHING):
        given.write_text(json.dumps(values))
        ran(program("helm"), "lint", "--strict", "--quiet", "--values", given, CHART)


def test_every_object_is_what_kubernetes_expects(tmp_path: Path) -> None:
    files = []
    for name, values in SETS.items():
        objects = [one for one in render(values) if not one["kind"].endswith("Monitor")]
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump_all(objects))
    for release in SCHEMAS:
        said = ran(program("kubernetes-validate"), "--strict", "-k", release, *files)
        assert "WARN" not in said, said  # of an object that it knows no schema of
        assert said.count(" passed for resource ") == sum(
            len(list(yaml.safe_load_all(file.read_text()))) for file in files
        )


def test_an_object_that_kubernetes_does_not_expect_would_be_found(tmp_path: Path) -> None:
    wrong = kinds(render({}))["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(wrong))
    code, said = outcome(program("kubernetes-validate"), "--strict", file)
    assert code != 0
    assert "livenessProb" in said


@pytest.mark.parametrize("name", SETS)
def test_every_process_is_a_command_with_settings_of_modelkeep(name: str) -> None:
    objects = render(SETS[name])
    is_shared = "database" in SETS[name]
    found = dict(pods(objects))
    assert found.keys() == ({"serve", "work", "migrate"} if is_shared else {"serve"})
    for what, pod in found.items():
        (container,) = pod["containers"]
        assert container["args"] == [what]
        check_command(container["args"])
        settings = check_environment(environment(pod, secret_of(objects)))
        assert settings.auth
        assert bool(settings.database_url) == is_shared
        assert bool(settings.secrets_key and settings.signing_key) == is_shared
        mounted = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
        assert mounted[str(settings.data_dir)] == "data"
        if settings.journal_key:
            assert mounted[str(settings.journal_key.parent)] == "keys"
            assert "journal.key" in secret_of(objects)


@pytest.mark.parametrize("name", SETS)
def test_no_pod_may_more_than_it_needs(name: str) -> None:
    for _, pod in pods(render(SETS[name])):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # which would name variables like our settings
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_the_values_reach_the_settings() -> None:
    objects = render(EVERYTHING)
    settings = check_environment(environment(dict(pods(objects))["serve"], secret_of(objects)))
    assert (settings.search_timeout_s, settings.max_body_bytes) == (60, 20971520)
    assert settings.direct_transfers is False
    assert settings.public_url == "https://registry.example.org/models"
    assert {"registry.example.org", "models.internal", "registry-modelkeep.ml.svc"} <= {
        *settings.allowed_hosts
    }
    assert settings.artifacts == "s3://models/registry"
    keys = check_environment(
        environment(dict(pods(render(SHARED)))["serve"], secret_of(render(SHARED)))
    )
    assert keys.database_url == KEYS["databaseUrl"]
    assert (keys.secrets_key, keys.signing_key) == (KEYS["secretsKey"], KEYS["signingKey"])


def test_the_password_of_the_mail_server_comes_from_the_secret() -> None:
    objects = render(WITH_S3)
    settings = check_environment(environment(dict(pods(objects))["serve"], secret_of(objects)))
    assert settings.mail_server is not None
    assert settings.mail_server.password == "c"


def test_any_setting_that_the_chart_does_not_make_itself_can_be_given() -> None:
    made = environment(dict(pods(render(EVERYTHING | {"witnesses": [WITNESS]})))["serve"], KEYED)
    by_chart = {n.removeprefix("MODELKEEP_").lower() for n in made} - EVERYTHING["settings"].keys()
    known = {setting.name for setting in fields(Settings)} - {"config"}
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["settings"]["properties"].keys() == known - by_chart


KEYED = {"database-url": "", "secrets-key": "", "signing-key": "", "mail-password": ""}
WITNESS = "https://witness.example.org=w+1+k"


def test_a_pod_has_the_time_to_stop() -> None:
    for drain, grace in ((10, 20), (60, 5), (STOP_LIMIT_S, 0)):
        objects = render(SHARED | {"drainSeconds": drain, "graceSeconds": grace})
        serve = dict(pods(objects))["serve"]
        settings = check_environment(environment(serve, secret_of(objects)))
        assert (settings.drain_s, settings.grace_s) == (drain, grace)
        assert serve["terminationGracePeriodSeconds"] > longest_stop_s(settings)


def test_what_the_probes_ask_is_answered(start_server: StartServer) -> None:
    import httpx

    (container,) = dict(pods(render({})))["serve"]["containers"]
    server = start_server()
    asked = {
        name: container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert asked == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    for path in asked.values():
        assert httpx.get(f"{server.url}{path}", trust_env=False).status_code == 200
    monitored = kinds(render(EVERYTHING))["ServiceMonitor"]["spec"]["endpoints"][0]
    assert httpx.get(f"{server.url}{monitored['path']}", trust_env=False).status_code == 200


def test_what_watches_the_background_finds_its_pods_and_their_port() -> None:
    objects = render(EVERYTHING)
    (monitor,) = (one["spec"] for one in objects if one["kind"] == "PodMonitor")
    (work,) = (
        one["spec"]["template"]
        for one in objects
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith("-work")
    )
    assert monitor["selector"]["matchLabels"].items() <= work["metadata"]["labels"].items()
    (container,), (endpoint,) = work["spec"]["containers"], monitor["podMetricsEndpoints"]
    settings = check_environment(environment(work["spec"], secret_of(objects)))
    port = {"name": endpoint["port"], "containerPort": settings.metrics_port}
    assert port in container["ports"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/health", "port": endpoint["port"]}
    assert not [one for one in render({}) if one["kind"] == "PodMonitor"]


def test_services_find_servers_and_nothing_else() -> None:
    objects = render(EVERYTHING)
    service, budget = kinds(objects)["Service"], kinds(objects)["PodDisruptionBudget"]
    labels = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in objects
        if one["kind"] in ("Deployment", "Job")
    ]
    for selector in (service["spec"]["selector"], budget["spec"]["selector"]["matchLabels"]):
        (matching,) = (had for had in labels if selector.items() <= had.items())
        assert matching["app.kubernetes.io/component"] == "serve"
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    monitor = kinds(objects)["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert monitor.items() <= service["metadata"]["labels"].items()
    backend = kinds(objects)["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend["service"] == {"name": service["metadata"]["name"], "port": {"name": "http"}}


def test_one_pod_at_a_time_has_sqlites_volume_and_the_volume_outlives_it() -> None:
    objects = kinds(render({}))
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = objects["PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    volumes = objects["Deployment"]["spec"]["template"]["spec"]["volumes"]
    claimed = {"claimName": claim["metadata"]["name"]}
    assert {"name": "data", "persistentVolumeClaim": claimed} in volumes
    assert "PersistentVolumeClaim" not in kinds(render(SHARED))
    assert "PodDisruptionBudget" not in objects


def test_servers_over_postgresql_are_replaced_one_by_one_after_the_migration() -> None:
    objects = render(SHARED)
    serve = next(one for one in objects if one["metadata"]["name"] == "registry-modelkeep"
                 and one["kind"] == "Deployment")  # fmt: skip
    assert serve["spec"]["replicas"] == 3
    assert serve["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    hook = kinds(objects)["Job"]["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == "pre-upgrade"
    scaled = [one for one in render(EVERYTHING) if one["kind"] == "Deployment"]
    assert "replicas" not in scaled[0]["spec"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicas": 2}, "replicas must be 1 on SQLite, whose file one process writes, and is 2"),
        ({"settings": {"workers": 2}}, "settings.workers must be 1 on SQLite"),
        ({"autoscaling": {"enabled": True}}, "autoscaling needs database.kind postgresql"),
        (SHARED | {"artifacts": ""}, "needs artifacts, an s3://bucket/prefix"),
        (SHARED | {"secret": KEYS | {"signingKey": ""}}, "or secret.signingKey"),
        (SHARED | {"autoscaling": {"enabled": True, "min": 7}}, "must not be above"),
        ({"database": {"kind": "mysql"}}, "must be one of 'sqlite', 'postgresql'"),
        ({"replica": 1}, "'replica' not allowed"),
        ({"replicas": 0}, "'/replicas': minimum: got 0, want 1"),
        ({"settings": {"serch_timeout_s": 3}}, "'serch_timeout_s' not allowed"),
        ({"secret": {"signingKey": "hunter2"}}, "at '/secret/signingKey'"),
        ({"ingress": {"enabled": True}}, "at '/ingress/host'"),
        ({"serviceMonitor": {"enabled": True}}, "at '/serviceMonitor/tokenSecret/name'"),
    ],
    ids=lambda given: None if isinstance(given, dict) else given[:40],
)
def test_what_cannot_work_is_refused_with_a_sentence(values: Object, sentence: str) -> None:
    assert sentence in refused(values)


def test_it_is_the_chart_of_this_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__
