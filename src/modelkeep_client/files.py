"""A version's files, sent and brought here, and believed only by their digests.

The list of files must have the digest that the version has, each file the hash that the list says.
A file is seen under its name when it is whole and right.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import httpx

from modelkeep_client.errors import ClientError, NoAnswer, Tampered
from modelkeep_client.transport import CHUNK_BYTES, Transport
from modelkeep_client.values import File, built

PAGE = 5000  # files a call
_PART = ".modelkeep-part"


def listing(transport: Transport, address: str, folder: str = "") -> tuple[int, str, list[File]]:
    """The number of a version, the digest of its manifest, and its files, below a folder."""
    page = transport.get(f"{address}/artifacts", path=folder, limit=PAGE)
    number, manifest = page["version"], page["manifest"]
    # The version may be named by what moves: from here on its number is meant.
    settled = f"{address.rpartition('/')[0]}/{number}/artifacts"
    found = [built(File, file) for file in page["files"]]
    while page["next"] and page["files"]:
        page = transport.get(settled, path=folder, limit=PAGE, cursor=page["next"])
        found += [built(File, file) for file in page["files"]]
    return number, manifest, found


def download(transport: Transport, address: str, folder: Path) -> Path:
    """Brings all files of a version into a folder that is empty or not there yet.

    Raises Tampered where something is not what was registered; ClientError for other trouble.
    """
    number, manifest, found = listing(transport, address)
    if digest(found) != manifest:
        raise Tampered(f"The server's list of files does not have the version's digest {manifest}.")
    for file in found:
        _check_path(file.path)
    if folder.exists() and any(folder.iterdir()):
        raise ClientError(f"{folder} is not empty; nothing was written.")
    content = f"{address.rpartition('/')[0]}/{number}/content"
    for file in found:
        _bring(transport, content, file, folder)
    return folder


def upload(transport: Transport, folder: Path) -> tuple[str, str]:
    """The id of an upload of every file below a folder, and the digest of what was sent.

    Raises ClientError for a folder without any; OSError.
    """
    upload_id = str(uuid.uuid4())
    sent: list[File] = []
    for path, file in below(folder):
        sha256, size = transport.put_file(f"/uploads/{upload_id}/files/{quote(path)}", file)
        sent.append(File(path, sha256, size))
    if not sent:
        raise ClientError(f"There are no files in {folder}.")
    return upload_id, digest(sent)


def digest(found: Sequence[File]) -> str:
    """The digest of a manifest (`modelkeep-manifest/1`, as `sha256:<hex>`)."""
    ordered = sorted(found, key=lambda file: file.path.encode())
    lines = (f"{f.sha256} {f.size_bytes} {f.path}\n" for f in ordered)
    text = "modelkeep-manifest/1\n" + "".join(lines)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a folder with its path in a version, in order. Links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def _bring(transport: Transport, content: str, file: File, folder: Path) -> None:
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    try:
        hashed = hashlib.sha256()
        with transport.stream(content, path=file.path) as answer, part.open("wb") as out:
            for chunk in answer.iter_raw(CHUNK_BYTES):
                hashed.update(chunk)
                out.write(chunk)
        if hashed.hexdigest() != file.sha256:
            raise Tampered(f"'{file.path}' is not what was registered. It was not kept.")
        part.replace(target)
    except httpx.HTTPError as error:
        raise NoAnswer(f"'{file.path}' did not arrive whole: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _check_path(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise Tampered(f"The server names a file '{path}', which could land anywhere.")
