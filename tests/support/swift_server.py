"""OpenStack Swift with its S3 interface in one process: `python swift_server.py FOLDER PORT`.

Run by the Python of `.envs/s3`. A proxy, an account, a container and an object server on one disk
with one replica; the account `test`, whose user `tester` has the key `testing`. Their log goes to
the standard output.
"""

import os
import sys
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import listen, wsgi  # noqa: E402
from swift.common import storage_policy, utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

HOST = "127.0.0.1"
KINDS = ("account", "container", "object")
PIPELINE = "catch_errors gatekeeper listing_formats s3api tempauth copy slo dlo proxy-server"
COPY = "swift.common.middleware"
# Its parts speak with one another. What they give up after half a second, on a busy machine, others
# mend in a real one, which are not here: a listing would lack it for good.
PATIENCE = "conn_timeout = 60\nnode_timeout = 60\ncontainer_update_timeout = 60"
BACK = """
[DEFAULT]
{patience}
devices = {folder}
swift_dir = {folder}
mount_check = false
disable_fallocate = true
user = {user}
[app:main]
use = egg:swift#{kind}
"""
FRONT = """
[DEFAULT]
{patience}
swift_dir = {folder}
user = {user}
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
min_segment_size = 1
{filters}
"""


def main(folder: Path, port: int) -> None:
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    hashes = "[swift-hash]\nswift_hash_path_suffix = modelkeep\nswift_hash_path_prefix = tests\n"
    (folder / "swift.conf").write_text(hashes)
    utils.validate_configuration()
    storage_policy.reload_storage_policies()
    (folder / "disk").mkdir(exist_ok=True)
    words = {"folder": folder, "user": os.environ.get("USER") or "root", "pipeline": PIPELINE}
    words["patience"] = PATIENCE
    sockets = {kind: listen((HOST, 0)) for kind in KINDS}
    for kind, socket in sockets.items():
        _ring(folder / f"{kind}.ring.gz", socket.getsockname()[1])
        (folder / f"{kind}.conf").write_text(BACK.format(kind=kind, **words))
    plain = ("catch_errors", "gatekeeper", "listing_formats", "copy", "slo", "dlo")
    filters = "\n".join(f"[filter:{name}]\nuse = egg:swift#{name}" for name in plain)
    (folder / "proxy.conf").write_text(FRONT.format(filters=filters, **words))
    for kind, socket in sockets.items():
        eventlet.spawn(wsgi.server, socket, loadapp(str(folder / f"{kind}.conf")), log_output=False)
    proxy = loadapp(str(folder / "proxy.conf"))
    wsgi.server(listen((HOST, port)), proxy, log_output=False)


def _ring(path: Path, port: int) -> None:
    """One disk with all there is."""
    builder = RingBuilder(1, 1, 0)
    place = {"region": 1, "zone": 1, "ip": HOST, "port": port, "device": "disk", "weight": 1}
    builder.add_dev({**place, "replication_ip": HOST, "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
