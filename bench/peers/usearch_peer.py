"""usearch: from an index's file to the first answer."""

import time

import numpy as np
import shared
from shared import K
from usearch.index import Index


def main():
    options = shared.arguments("build", "load", "view")
    path = None if options.work is None else str(options.work / "index")
    if options.command == "build":
        # How well the graph is connected makes no difference to its size: built in a hurry.
        index = Index(ndim=options.dimensions, metric="ip", dtype="f32", connectivity=16,
                      expansion_add=16)
        vectors = shared.vectors(options.data, options.rows, options.dimensions)
        for first in range(0, options.rows, 50_000):
            part = vectors[first:first + 50_000]
            index.add(np.arange(first, first + len(part)), part)
        options.work.mkdir()
        index.save(path)
        return
    query = shared.queries(options.data, options.dimensions)[0]
    start = time.perf_counter()
    index = Index.restore(path, view=options.command == "view")
    opened = time.perf_counter()
    found = index.search(query, K)
    first = time.perf_counter()
    assert len(found.keys) == K and len(index) == options.rows
    name = "view (mmap)" if options.command == "view" else "load"
    shared.figure(f"{name}", "s", opened - start, rows=options.rows)
    shared.figure(f"{name} and first answer", "s", first - start, rows=options.rows)


main()
