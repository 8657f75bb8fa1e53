"""A running server, and stock clients of AWS's services that are told where it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from tests.conformance.aws.shapes import hold
from tests.support.server import Server


class Aws:
    """botocore's clients, which boto3's are made of, for one server; whose answers must be of the
    shapes that botocore's models have for them."""

    def __init__(self, url: str) -> None:
        self.url, self._session = url, botocore.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}

    def client(
        self, service: str, key: str = "AKIAANNANNANNANNANNA", secret: str = "secret"
    ) -> Any:
        if (service, key) not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
            client = self._session.create_client(
                service,
                region_name="us-east-1",
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                config=config,
            )
            self._clients[service, key] = hold(client)
        return self._clients[service, key]


@pytest.fixture(scope="module")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for a module's tests: each takes names of its own."""
    folder: Path = tmp_path_factory.mktemp("aws")
    server = Server(folder / "data")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def aws(aws_server: Server) -> Aws:
    return Aws(aws_server.url)


@pytest.fixture(scope="module")
def sagemaker(aws: Aws) -> Any:
    return aws.client("sagemaker")
