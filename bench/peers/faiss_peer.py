"""faiss Flat: exact, one search at a time and 256 together."""

import time

import faiss
import numpy as np
import shared
from shared import K

TOGETHER = 256


def main():
    options = shared.arguments("search")
    vectors = shared.vectors(options.data, options.rows, options.dimensions)
    queries = shared.queries(options.data, options.dimensions)
    expected = shared.truth(options.data, options.rows, options.dimensions)[0]
    # The vectors have length 1: the inner product is the cosine.
    index = faiss.IndexFlatIP(options.dimensions)
    index.add(np.ascontiguousarray(vectors))

    shared.search_all("exact", queries, expected,
                      lambda query: index.search(query[None], K)[1][0])
    together = queries[:TOGETHER]
    index.search(together, K)
    seconds, start = [], time.perf_counter()
    while len(seconds) < 3 or (time.perf_counter() - start < shared.PATIENCE
                               and len(seconds) < shared.AT_LEAST):
        before = time.perf_counter()
        found = index.search(together, K)[1]
        seconds.append((time.perf_counter() - before) / TOGETHER)
    share = shared.recall(found.tolist(), expected)
    shared.figure_times("exact, 256 together, each", seconds, recall=share)


main()
