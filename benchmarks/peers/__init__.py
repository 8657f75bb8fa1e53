"""Servers that can be measured: one module each, and nothing else says which there are.

A module gives a `base.Peer`, called `PEER`. `found` reads the folder.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.peers.base import Peer


def found() -> dict[str, type["Peer"]]:
    """The servers of this folder by the name of their product, in the order of their modules."""
    modules = (
        importlib.import_module(f"{__name__}.{each.name}")
        for each in pkgutil.iter_modules(__path__)
    )
    peers: list[type[Peer]] = [module.PEER for module in modules if hasattr(module, "PEER")]
    return {peer.product: peer for peer in peers}
