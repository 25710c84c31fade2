"""Prints the peers' versions, and what their numeric libraries do on this machine, as JSON.

A peer that is missing fails when it has its turn, not here.
"""

import contextlib
import importlib
import importlib.metadata
import json

PEERS = ["faiss-cpu", "hnswlib", "lancedb", "numpy", "pyarrow", "usearch"]


def main():
    versions, pools = {}, []
    for name in PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    # Only libraries that are loaded show their threads.
    for name in ("numpy", "faiss"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        import threadpoolctl

        pools = sorted(
            " ".join(str(pool[key]) for key in ("internal_api", "version", "architecture",
                                                "num_threads") if pool.get(key))
            for pool in threadpoolctl.threadpool_info())
    print(json.dumps({"versions": versions, "pools": pools}))


main()
