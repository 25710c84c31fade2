"""hnswlib: a graph, searched by one thread with growing effort until its recall is enough."""

import time

import hnswlib
import shared
from shared import K

EFFORTS = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256]


def main():
    options = shared.arguments("build", "search")
    index = hnswlib.Index("ip", options.dimensions)
    if options.command == "build":
        vectors = shared.vectors(options.data, options.rows, options.dimensions)
        index.init_index(options.rows, M=16, ef_construction=128)
        start = time.perf_counter()
        index.add_items(vectors)
        seconds = time.perf_counter() - start
        shared.figure("build", "rows/s", options.rows / seconds, rows=options.rows)
        options.work.mkdir()
        index.save_index(str(options.work / "index"))
        return
    before = shared.resident()
    index.load_index(str(options.work / "index"), options.rows)
    index.set_num_threads(1)
    shared.figure("opened", "B/row in memory", (shared.resident() - before) / options.rows)
    queries = shared.queries(options.data, options.dimensions)
    expected = shared.truth(options.data, options.rows, options.dimensions)[0]
    for effort in EFFORTS:
        index.set_ef(effort)
        share = shared.search_all("hnsw", queries, expected,
                                  lambda query: index.knn_query(query, K)[0][0], f"ef {effort}")
        if share >= shared.ENOUGH:
            break


main()
