"""The comparisons: sizes, turns, and what is aimed at.

Each takes a session and its sizes, runs the rounds, and gives the ratios. Aims are goals that the
report shows beside the figures; nothing fails for missing one.
"""

from embedding import embed
from faces import celeba
from loading import overhead, server
from report import Ratio

FACE = 512


def ingest(session, sizes):
    """Pictures with vectors: LanceDB adds, and adds and indexes."""
    rows, = sizes
    session.prepare(rows, FACE)
    common = ("--data", session.data, "--work", session.scratch, "--rows", rows)
    # Batch and clients, for the engine; batch and column, for LanceDB.
    ours = [(10, 2), (100, 1), (100, 2), (1000, 1), (1000, 2)]
    theirs = [(batch, "binary") for batch in (100, 1000, 5000, rows) if batch <= rows]
    theirs.append((1000, "blob"))
    for _ in session.rounds(session.options.rounds or 3):
        for at in range(max(len(ours), len(theirs))):
            if at < len(ours):
                batch, clients = ours[at]
                session.adb("ingest", *common, "--batch", batch, "--clients", clients)
            if at < len(theirs):
                batch, column = theirs[at]
                session.peer("lancedb", "ingest", *lance(common), "--batch", batch, "--column", column)
        session.adb("ingest", *common, "--batch", 100, "--clients", 2, "--shape", "guarded")
        for batch in (100, 1000):
            session.adb("ingest", *common, "--batch", batch, "--searching")
            session.peer("lancedb", "ingest", *lance(common), "--batch", batch, "--searching")
        session.adb("ingest", *common, "--batch", 1000, "--index", "hnsw")
        session.adb("ingest", *common, "--batch", 1000, "--index", "hnsw", "--searching")
        session.peer("lancedb", "ingest", *lance(common), "--batch", min(5000, rows), "--indexing")

    def rate(ours, theirs):
        return lambda pick: pick("adb", ours, "rows/s") / pick("lancedb", theirs, "rows/s")

    return [
        Ratio("adb / LanceDB, rows/s", "≥ 1.3", rate("add", "add")),
        Ratio("the same, adb with guards", "", rate("add, guarded", "add")),
        Ratio("the same while another thread searches", "", rate("add, searching", "add, searching")),
        Ratio("adb / LanceDB, until the vectors are indexed", "≥ 3",
              rate("add, until indexed", "add, until indexed")),
        Ratio("LanceDB / adb, p99 of searches meanwhile", "",
              lambda pick: pick("lancedb", "search during add", "ms p99")
              / pick("adb", "search during add, searching", "ms p99")),
    ]


def commit(session, sizes):
    """One row a request, against this disk."""
    seconds, = sizes
    session.prepare(1000, FACE)
    for _ in session.rounds(session.options.rounds or 3):
        session.adb("commit", "--data", session.data, "--work", session.scratch,
                    "--seconds", seconds)

    def share(case):
        return lambda pick: pick("adb", case, "of 4 KB appends/s")

    return [
        Ratio("face, one client / appends", "≥ 0.4", share("face, 1 client")),
        Ratio("face, 32 clients / appends", "≥ 1.5", share("face, 32 clients")),
        Ratio("entity, one client / appends", "", share("entity, 1 client")),
        Ratio("entity, 32 clients / appends", "", share("entity, 32 clients")),
    ]


def knn(session, sizes):
    """Nearest neighbours: exact, together, through a graph, filtered."""
    rows, dimensions = sizes
    name = f"knn-{rows}x{dimensions}"
    session.prepare(rows, dimensions, truth=True)
    size = ("--rows", rows, "--dimensions", dimensions)
    db = session.once("adb", name, "knn-build", "--data", session.data, *size)
    graph = session.once("hnswlib", name, "build", *size)
    table = session.once("lancedb", name, "knn-build", *size)

    def ours(cases, *flags, **how):
        if db:
            session.adb("knn", "--data", session.data, "--db", db, *size, "--cases", cases, *flags,
                        **how)

    for _ in session.rounds(session.options.rounds or 3):
        ours("exact,bandwidth,batch", "--full")
        session.peer("faiss", "search", *size)
        ours("exact,batch", suffix=", bfloat16 first")
        ours("exact,bandwidth,batch", "--full", suffix=", 1 core", cores=1)
        session.peer("faiss", "search", *size, suffix=", 1 core", cores=1)
        ours("hnsw,overhead")
        if graph:
            session.peer("hnswlib", "search", *size, "--work", graph)
        ours("filtered")
        if table:
            session.peer("lancedb", "knn", *size, "--work", table)

    def bound(pick, share=1.0, suffix=""):
        """Milliseconds in which memory can be read that holds this share of the vectors."""
        gigabytes = rows * dimensions * 4 * share / 1e9
        threads = "1 thread" if suffix else "all threads"
        if session.machine["cores"] == 1:
            threads = "1 thread"
        return 1e3 * gigabytes / pick("adb", f"read, {threads}{suffix}", "GB/s")

    def exact(suffix=""):
        return lambda pick: bound(pick, suffix=suffix) / pick("adb", f"exact{suffix}", "ms p50")

    def faiss(case):
        return lambda pick: pick("faiss", case, "ms p50") / pick("adb", case, "ms p50")

    together, halved = "exact, 256 together, each", ", bfloat16 first"
    ratios = [
        Ratio("exact, time of reading the vectors / p50", "≥ 0.92", exact()),
        Ratio("the same on one core", "≥ 0.92", exact(", 1 core")),
        Ratio("exact, f32 / bfloat16 first, p50", "≥ 1.8",
              lambda pick: pick("adb", "exact", "ms p50") / pick("adb", f"exact{halved}", "ms p50")),
        Ratio("exact, bfloat16 first: recall@10", "1",
              lambda pick: pick("adb", f"exact{halved}", "recall@10")),
        Ratio("exact, faiss Flat / adb, p50", "", faiss("exact")),
        Ratio("the same, bfloat16 first", "", lambda pick: pick("faiss", "exact", "ms p50")
              / pick("adb", f"exact{halved}", "ms p50")),
        Ratio("the same on one core", "", faiss("exact, 1 core")),
        Ratio("exact, 256 together, faiss Flat / adb", "≥ 1", faiss(together)),
        Ratio("the same, bfloat16 first", "≥ 1", lambda pick: pick("faiss", together, "ms p50")
              / pick("adb", f"{together}{halved}", "ms p50")),
        Ratio("the same on one core", "", faiss(f"{together}, 1 core")),
        Ratio("hnsw, recall@10", "≥ 0.985", lambda pick: pick("adb", "hnsw", "recall@10")),
        Ratio("hnsw, hnswlib / adb, p50", "≥ 1",
              lambda pick: pick("hnswlib", "hnsw", "ms p50") / pick("adb", "hnsw", "ms p50")),
        Ratio("hnsw, hnswlib / adb without what a request costs", "",
              lambda pick: pick("hnswlib", "hnsw", "ms p50")
              / (pick("adb", "hnsw", "ms p50") - pick("adb", "a request with 16 vectors", "ms p50"))),
        Ratio("hnsw, LanceDB / adb, p50", "≥ 20",
              lambda pick: pick("lancedb", "hnsw", "ms p50") / pick("adb", "hnsw", "ms p50")),
    ]
    for share, text in ((0.5, "50 %"), (0.05, "5 %"), (0.005, "0.5 %")):
        for whose in ("own", "the picture's"):
            case = f"filtered {text}, {whose} property"

            def ours_at(pick, case=case):
                return pick("adb", case, "ms p50")

            ratios.append(Ratio(f"{case}: recall@10", "≥ 0.985",
                                lambda pick, case=case: pick("adb", case, "recall@10")))
            if share == 0.5:
                ratios.append(Ratio(f"{case}: p50 / unfiltered hnsw", "≤ 1.5",
                                    lambda pick, at=ours_at: at(pick) / pick("adb", "hnsw", "ms p50")))
            else:
                ratios.append(Ratio(f"{case}: time of reading what passes / p50", "≥ 0.8",
                                    lambda pick, at=ours_at, share=share: bound(pick, share) / at(pick)))
            ratios.append(Ratio(f"{case}: LanceDB's best / adb, p50", "≥ 5",
                                lambda pick, at=ours_at, text=text:
                                pick("lancedb", f"filtered {text}", "ms p50") / at(pick)))
    return ratios


def open_(session, sizes):
    """From a directory to the first answer, nothing of it in memory."""
    rows, = sizes
    session.prepare(rows, FACE)
    size = ("--rows", rows, "--dimensions", FACE)
    db = grown(session, rows)
    index = session.once("usearch", f"{rows}x{FACE}", "build", *size)
    how = set()
    for _ in session.rounds(session.options.rounds or 3):
        if db:
            how.add(session.cold(db))
            session.adb("open", "--data", session.data, "--db", db, *size)
            session.adb("open", "--data", session.data, "--db", db, *size, suffix=", warm")
        if index:
            for command in ("load", "view"):
                how.add(session.cold(index))
                session.peer("usearch", command, *size, "--work", index)
    session.machine["file_system"] += f"; pages dropped by {' and '.join(sorted(how)) or 'nobody'}"
    first = "open and first answer"
    return [
        Ratio("seconds to the first exact answer", "< 1", lambda pick: pick("adb", first, "s")),
        Ratio("usearch, load and first answer / adb", "",
              lambda pick: pick("usearch", "load and first answer", "s") / pick("adb", first, "s")),
        Ratio("usearch, view and first answer / adb", "",
              lambda pick: pick("usearch", "view (mmap) and first answer", "s")
              / pick("adb", first, "s")),
    ]


def grown(session, rows):
    """The database that `growth` leaves, or one made in the same way."""
    return session.once("adb", f"growth-{rows}x{FACE}", "growth", "--data", session.data,
                        "--marks", rows, "--dimensions", FACE)


def blobs(session, sizes):
    """Pictures of the nearest neighbours."""
    rows, = sizes
    session.prepare(rows, FACE, truth=True)
    db = session.once("adb", f"blobs-{rows}", "blobs-build", "--data", session.data,
                      "--rows", rows)
    table = session.once("lancedb", f"blobs-{rows}", "blobs-build", "--rows", rows)
    for _ in session.rounds(session.options.rounds or 3):
        if db:
            session.adb("blobs", "--data", session.data, "--db", db, "--rows", rows)
        if table:
            session.peer("lancedb", "blobs", "--rows", rows, "--work", table)

    def ratio(how):
        case = f"10 nearest, with their pictures, {how}"
        return lambda pick: pick("lancedb", case, "ms p50") / pick("adb", case, "ms p50")

    return [Ratio("LanceDB / adb, p50, exact", "≥ 1", ratio("exact")),
            Ratio("LanceDB / adb, p50, through the index", "≥ 1", ratio("through the index"))]


def growth(session, sizes):
    """Time and bytes for each row while a database grows."""
    marks = sorted(sizes)
    session.prepare(marks[-1], FACE)
    list_of_marks = ",".join(map(str, marks))
    # With an index up to 200,000 vectors: more take their graph longer than all else here. LanceDB
    # builds one at the first size only, since `knn` has it build one of 200,000.
    indexed = [mark for mark in marks if mark <= 200_000]
    for _ in session.rounds(session.options.rounds or 1):
        common = ("growth", "--data", session.data, "--dimensions", FACE)
        # The last database is kept for `open`.
        session.forget("adb", f"growth-{marks[-1]}x{FACE}")
        session.once("adb", f"growth-{marks[-1]}x{FACE}", *common, "--marks", list_of_marks)
        session.peer("lancedb", "growth", "--marks", list_of_marks, "--batch", 10_000,
                     "--indexed-to", indexed[0] if indexed else 0,
                     "--work", session.new("lancedb-growth"))
        session.remove("lancedb-growth")
        if indexed:
            session.adb(*common, "--marks", ",".join(map(str, indexed)), "--index", "hnsw",
                        "--db", session.new("adb-growth"))
            session.remove("adb-growth")

    def time(side, mark, suffix=""):
        return lambda pick: (pick(side, f"{mark} vectors{suffix}", "µs/row")
                             / pick(side, f"{marks[0]} vectors{suffix}", "µs/row"))

    ratios = []
    for mark in marks[1:]:
        ratios.append(Ratio(f"adb, time of a row, at {mark} / at {marks[0]}", "≤ 1.1",
                            time("adb", mark, ", Flat")))
        ratios.append(Ratio("LanceDB, the same", "", time("lancedb", mark)))
    for mark in marks:
        for unit in ("B/row in memory", "B/row on disk"):
            ratios.append(Ratio(f"LanceDB / adb at {mark}, {unit}", "",
                                lambda pick, mark=mark, unit=unit:
                                pick("lancedb", f"{mark} vectors", unit)
                                / pick("adb", f"{mark} vectors, Flat", unit)))
    return ratios


def lance(common):
    """The engine's arguments without `--data`, which a session gives all peers."""
    return common[2:]


class Suite:
    """A comparison, its sizes as a default and in full, and its share of the time."""

    def __init__(self, run, title, sizes, small, full, minutes, program="speed", peers="peers",
                 package="adb-bench"):
        self.run, self.title, self.sizes = run, title, sizes
        self.small, self.full, self.minutes = small, full, minutes
        # Of a package; and whose packages Python's sides need.
        self.program, self.peers, self.package = program, peers, package


# In the order in which `all` runs them: `growth` leaves the database that `open` wants.
SUITES = {
    "ingest": Suite(ingest, "Ingest: 20 KB picture, 512-d vector, connection, 40 properties",
                    ["ROWS"], [4000], [20_000], 4),
    "commit": Suite(commit, "One row a request", ["SECONDS"], [1], [3], 1.5),
    "knn": Suite(knn, "Nearest neighbours", ["N", "D"], [20_000, 512], [200_000, 512], 9),
    "blobs": Suite(blobs, "Nearest neighbours and their pictures", ["ROWS"], [4000], [20_000], 2),
    "growth": Suite(growth, "Growth", ["MARK..."], [5000, 20_000, 50_000],
                    [20_000, 200_000, 1_000_000], 5),
    "open": Suite(open_, "Open and first answer, cold", ["N"], [50_000], [1_000_000], 3),
    "embed": Suite(embed, "Embedding: CLIP ViT-B/32 with random weights", ["PICTURES"], [16], [64],
                   12, program="embed", peers="onnxruntime"),
    "overhead": Suite(overhead, "Overhead of loading", ["ROWS", "ROWS-OF-THE-SDK", "ROWS-STORED"],
                      [100_000, 10_000, 5000], [400_000, 20_000, 20_000], 5,
                      program="load", peers="sdk"),
    "server": Suite(server, "A server", ["ROWS", "FACES"], [5000, 2000], [20_000, 10_000], 5,
                    peers="sdk"),
    "celeba": Suite(celeba, "Faces as CelebA has them", ["ROWS"], [20_000], [200_000], 60,
                    program="celeba", peers=None, package="celeba"),
}
# The engine's; the others build other programs and want other peers, so they are asked for by name.
ALL = [name for name, suite in SUITES.items() if suite.peers == "peers"]
