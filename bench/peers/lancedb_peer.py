"""LanceDB: adding, searching, filtering, pictures, growth."""

import datetime
import shutil
import tempfile
import threading
import time

import lancedb
import numpy as np
import pyarrow as pa
import shared
from lancedb.index import BTree, HnswSq
from shared import K

BOOLEANS = 34
FACE = 512
# The vectors have length 1: by the squared distance they come in the order of the cosine.
METRIC = "l2"
# Efforts of a search through IVF_HNSW_SQ: (nprobes, ef, refine factor).
EFFORTS = [(20, None, None), (20, 64, None), (20, 64, 3), (20, 128, 5), (50, 256, 5)]


def main():
    commands = {"ingest": ingest, "knn-build": knn_build, "knn": knn, "blobs-build": blobs_build,
                "blobs": blobs, "growth": growth}
    options = shared.arguments(*commands)
    commands[options.command](options)


# Tables

def vector_column(vectors):
    values = pa.array(np.ascontiguousarray(vectors).ravel())
    return pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])


def picture_field(column):
    return lancedb.blob("image") if column == "blob" else pa.field("image", pa.large_binary())


def faces(options, first, count, noise):
    """Rows as `face.rs` has them: 34 booleans, 4 integers, 2 texts, a picture, a vector."""
    rows = np.arange(first, first + count)
    bits = shared.mix(rows.astype(np.uint64))

    def part(shift, mask):
        return (bits >> np.uint64(shift)) & np.uint64(mask)

    columns = {
        "id": pa.array(rows),
        "user_type": pa.array(["Face"] * count),
        "file": pa.array([f"{row:06}.jpg" for row in rows]),
        "identity": pa.array(rows % 1000),
        "left": pa.array(part(34, 0xFF).astype(np.int64)),
        "top": pa.array(part(42, 0xFF).astype(np.int64)),
    }
    for i in range(BOOLEANS):
        columns[f"attribute_{i}"] = pa.array(part(i, 1).astype(bool))
    columns["image"] = pa.array([shared.picture(noise, int(row)) for row in rows],
                                pa.large_binary())
    vectors = shared.vectors(options.data, first + count, FACE)[first:]
    columns["vector"] = vector_column(vectors)
    return pa.table(columns)


def create(directory, data, options):
    """An empty table for such data."""
    fields = [picture_field(options.column) if field.name == "image" else field
              for field in data.schema]
    return lancedb.connect(directory).create_table("rows", schema=pa.schema(fields))


def index_vectors(table):
    table.create_index("vector", config=HnswSq(distance_type=METRIC))
    caught_up(table)


def caught_up(table):
    names = [index.name for index in table.list_indices()]
    table.wait_for_index(names, datetime.timedelta(hours=1))
    for name in names:
        left = table.index_stats(name).num_unindexed_rows
        assert left == 0, f"{left} rows are not in {name}"


# Rows a second

def ingest(options):
    noise = shared.noise(options.data)
    batches = [faces(options, first, min(options.batch, options.rows - first), noise)
               for first in range(0, options.rows, options.batch)]
    # Not /tmp: the same disk as the engine's.
    directory = tempfile.mkdtemp(dir=options.work)
    try:
        table = create(directory, batches[0], options)
        ingest_into(table, batches, options)
    finally:
        shutil.rmtree(directory)


def ingest_into(table, batches, options):
    variant = f"batch {options.batch}, {options.column}"
    done, searches = threading.Event(), []
    queries = shared.queries(options.data, FACE)

    def search():
        while not done.is_set():
            for query in queries:
                if done.is_set():
                    break
                before = time.perf_counter()
                found = nearest(table, query, ["id"]).to_arrow()
                # Before the first row there is nothing to find.
                if len(found):
                    searches.append(time.perf_counter() - before)

    searcher = threading.Thread(target=search) if options.searching else None
    if searcher:
        searcher.start()
    slowest = []
    start = time.perf_counter()
    for batch in batches:
        before = time.perf_counter()
        table.add(batch)
        slowest.append(time.perf_counter() - before)
    stored = time.perf_counter() - start
    done.set()
    if searcher:
        searcher.join()
    assert table.count_rows() == options.rows
    case = "add, searching" if options.searching else "add"
    shared.figure(case, "rows/s", options.rows / stored, variant)
    if options.searching and searches:
        shared.figure_times("search during add", searches, variant)
    if not options.searching:
        p99 = sorted(slowest)[int((len(slowest) - 1) * 0.99 + 0.5)]
        shared.figure("add, one call", "ms p99", p99 * 1e3, variant)
    if options.indexing:
        start = time.perf_counter()
        index_vectors(table)
        vectors = time.perf_counter() - start
        for column in ("id", "user_type", "identity", "attribute_0", "attribute_1"):
            table.create_index(column, config=BTree())
        caught_up(table)
        both = time.perf_counter() - start
        shared.figure("add, until indexed", "rows/s", options.rows / (stored + vectors), variant)
        shared.figure("add, until all columns are indexed", "rows/s",
                      options.rows / (stored + both), variant)


# Searches

def nearest(table, query, columns):
    search = table.search(query, vector_column_name="vector").distance_type(METRIC)
    return search.select([*columns, "_distance"]).limit(K)


def knn_build(options):
    vectors = shared.vectors(options.data, options.rows, options.dimensions)
    database = lancedb.connect(options.work)
    table = None
    start = time.perf_counter()
    for first in range(0, options.rows, 10_000):
        part = vectors[first:first + 10_000]
        data = pa.table({"row": pa.array(np.arange(first, first + len(part))),
                         "bucket": pa.array(shared.buckets(first, len(part))),
                         "vector": vector_column(part)})
        if table is None:
            table = database.create_table("rows", data)
        else:
            table.add(data)
    stored = time.perf_counter() - start
    index_vectors(table)
    indexed = time.perf_counter() - start
    table.create_index("bucket", config=BTree())
    caught_up(table)
    shared.figure("build", "rows/s", options.rows / stored, rows=options.rows)
    shared.figure("build, until indexed", "rows/s", options.rows / indexed, rows=options.rows)
    shared.figure("build", "B/row on disk", shared.on_disk(options.work) / options.rows,
                  rows=options.rows)


def effort(search, probes, ef, refine):
    search = search.nprobes(probes)
    if ef:
        search = search.ef(ef)
    return search.refine_factor(refine) if refine else search


def effort_name(probes, ef, refine):
    return f"nprobes {probes}" + (f", ef {ef}" if ef else "") + (f", refine {refine}" if refine else "")


def knn(options):
    before = shared.resident()
    table = lancedb.connect(options.work).open_table("rows")
    queries = shared.queries(options.data, options.dimensions)
    expected = shared.truth(options.data, options.rows, options.dimensions)

    def rows(search):
        return search.to_arrow()["row"].to_pylist()

    for each in EFFORTS:
        share = shared.search_all("hnsw", queries, expected[0],
                                  lambda query: rows(effort(nearest(table, query, ["row"]), *each)),
                                  effort_name(*each), count=100)
        if share >= shared.ENOUGH:
            break
    shared.figure("opened", "B/row in memory", (shared.resident() - before) / options.rows)
    for (below, share_name), nearest_rows in list(zip(shared.FILTERS, expected))[1:]:
        case, condition = f"filtered {share_name}", f"bucket < {below}"

        def filtered(query):
            return nearest(table, query, ["row"]).where(condition, prefilter=True)

        shared.search_all(case, queries, nearest_rows,
                          lambda query: rows(filtered(query).bypass_vector_index()),
                          "all that pass", count=50)
        for each in EFFORTS:
            share = shared.search_all(case, queries, nearest_rows,
                                      lambda query: rows(effort(filtered(query), *each)),
                                      effort_name(*each), count=50)
            if share >= shared.ENOUGH:
                break


# Pictures

def blobs_build(options):
    noise = shared.noise(options.data)
    for column in ("binary", "blob"):
        options.column, table = column, None
        for first in range(0, options.rows, 5000):
            part = faces(options, first, min(5000, options.rows - first), noise)
            if table is None:
                table = create(options.work / column, part, options)
            table.add(part)
        index_vectors(table)


def blobs(options):
    queries = shared.queries(options.data, FACE)
    expected = shared.truth(options.data, options.rows, FACE)[0]
    tables = {column: lancedb.connect(options.work / column).open_table("rows")
              for column in ("binary", "blob")}

    def in_one(search):
        return [shared.picture_row(picture.as_py())
                for picture in search.select(["image", "_distance"]).to_arrow()["image"]]

    def taken(table, search):
        found = search.with_row_id(True).to_arrow()["_rowid"].to_pylist()
        pictures = table.take_row_ids(found).select(["image"]).to_arrow()["image"]
        return [shared.picture_row(picture.as_py()) for picture in pictures]

    def fetched(table, search):
        found = search.with_row_id(True).to_arrow()
        return [shared.picture_row(picture.as_py())
                for picture in table.fetch_blobs("image", found)]

    ways = [("binary, one search", tables["binary"], lambda table, search: in_one(search)),
            ("binary, search and take", tables["binary"], taken),
            ("blob, search and fetch", tables["blob"], fetched)]
    for way, table, pictures in ways:
        shared.search_all("10 nearest, with their pictures, exact", queries, expected,
                          lambda query: pictures(table, nearest(table, query, ["id"])
                                                 .bypass_vector_index()), way, count=100)
        for each in EFFORTS:
            share = shared.search_all(
                "10 nearest, with their pictures, through the index", queries, expected,
                lambda query: pictures(table, effort(nearest(table, query, ["id"]), *each)),
                f"{way}, {effort_name(*each)}", count=100)
            if share >= shared.ENOUGH:
                break


# Growth

def growth(options):
    vectors = shared.vectors(options.data, options.marks[-1], options.dimensions)
    query = shared.queries(options.data, options.dimensions)[0]
    database, table, first = lancedb.connect(options.work), None, 0
    before = shared.resident()
    for mark in options.marks:
        window, since, spent, spent_last, last = mark - mark // 10, first, 0.0, 0.0, 0
        while first < mark:
            count = min(options.batch, mark - first)
            data = pa.table({"row": pa.array(np.arange(first, first + count)),
                             "bucket": pa.array(shared.buckets(first, count)),
                             "vector": vector_column(vectors[first:first + count])})
            start = time.perf_counter()
            if table is None:
                table = database.create_table("rows", data)
            else:
                table.add(data)
            took = time.perf_counter() - start
            del data
            first += count
            spent += took
            if first > window:
                spent_last += took
                last += count
        case = f"{mark} vectors"
        nearest(table, query, ["row"]).to_arrow()
        shared.figure(case, "µs/row", spent_last * 1e6 / last)
        shared.figure(case, "µs/row since the last size", spent * 1e6 / (mark - since))
        shared.figure(case, "B/row in memory", max(shared.resident() - before, 0) / mark)
        shared.figure(case, "B/row on disk", shared.on_disk(options.work) / mark)
        if mark <= options.indexed_to:
            start = time.perf_counter()
            index_vectors(table)
            case = f"{mark} vectors, IVF_HNSW_SQ"
            shared.figure(case, "s until indexed", time.perf_counter() - start)
            nearest(table, query, ["row"]).to_arrow()
            shared.figure(case, "B/row in memory", max(shared.resident() - before, 0) / mark)
            shared.figure(case, "B/row on disk", shared.on_disk(options.work) / mark)


main()
