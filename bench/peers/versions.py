"""Prints the peers' versions, and what their numeric libraries do on this machine, as JSON."""

import importlib.metadata
import json

import faiss  # noqa: F401  its libraries are looked at
import numpy  # noqa: F401
import threadpoolctl

PEERS = ["faiss-cpu", "hnswlib", "lancedb", "numpy", "pyarrow", "usearch"]

pools = [
    " ".join(str(pool.get(key)) for key in ("internal_api", "version", "architecture", "num_threads"))
    for pool in threadpoolctl.threadpool_info()
]
print(json.dumps({"versions": {name: importlib.metadata.version(name) for name in PEERS},
                  "faiss": faiss.get_compile_options().strip(), "pools": pools}))
