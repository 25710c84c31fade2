"""Loading: what rows cost beside the Python SDK's loaders, and what a server adds."""

import contextlib
import os
import signal
import subprocess

from common import Fail
from install import BENCH
from report import Ratio
from session import tail, words

FACE = 512
COOKBOOK = BENCH.parent / "examples" / "data" / "cookbook"
# Of servers on this machine's own network that live for a minute.
PASSWORD = "bench-passw0rd"


def overhead(session, sizes):
    """Rows into nowhere, beside the Python SDK's loaders; and rows with vectors into the engine,
    beside an engine that is given the same requests ready made.

    The SDK's loaders have as many threads as there are cores. It has no loader for JSON Lines, so
    both files of ours are compared with its CSV. Where rows name a picture, both sides read it; the
    SDK also decodes it unless it is told not to (`check_image=False`).
    """
    rows, theirs, stored = sizes
    ours_at, theirs_at = files(session, rows), files(session, theirs)
    cores = session.machine["cores"]
    for _ in session.rounds(session.options.rounds or 3):
        for kind in ("dishes", "photos"):
            for ending in ("jsonl", "csv"):
                session.adb("nothing", "--file", ours_at / f"{kind}.{ending}")
            sdk = ("sdk", "nowhere", "--file", theirs_at / f"{kind}.sdk.csv", "--threads", cores)
            session.peer(*sdk, "--batch", 100, "--case", f"{kind}.csv")
        # Decoding takes milliseconds: fewer rows.
        few = files(session, 1000) / "photos.sdk.csv"
        session.peer("sdk", "nowhere", "--file", few, "--threads", cores, "--batch", 100,
                     "--case", "photos.csv, decoded", "--check-image")
        session.adb("alone", "--work", session.scratch, "--rows", stored)

    def over(kind, ending, unit="rows/s"):
        def value(pick):
            ours = pick("adb", f"{kind}.{ending}", unit)
            sdk = pick("sdk", f"{kind}.csv, batch 100", unit)
            return ours / sdk if unit == "rows/s" else sdk / ours
        return value

    ratios = []
    for kind, about in (("dishes", "no picture"), ("photos", "a picture read")):
        for ending, name in (("jsonl", "JSON Lines"), ("csv", "CSV")):
            ratios.append(Ratio(f"{name}, {about}: adb / SDK, rows/s", "≥ 50", over(kind, ending)))
            ratios.append(Ratio("the same, SDK / adb, CPU-seconds a row", "",
                                over(kind, ending, "CPU-s for 1,000 rows")))
    ratios.append(Ratio("CSV, a picture: adb / SDK that decodes it, as is its default", "",
                        lambda pick: pick("adb", "photos.csv", "rows/s")
                        / pick("sdk", "photos.csv, decoded, batch 100", "rows/s")))
    ratios.append(Ratio("vectors into the engine: the pipeline / the engine alone, rows/s", "≥ 0.9",
                        lambda pick: pick("adb", "the pipeline into the engine", "rows/s")
                        / pick("adb", "the engine alone", "rows/s")))
    return ratios


def server(session, sizes):
    """A server: our loader and the Python SDK's through it, and what it adds to calls.

    Each turn of each side has a server and a database of its own.
    """
    rows, faces = sizes
    session.prepare(2 * faces + 1000, FACE)
    load, adb = session.program_of("load"), session.program_of("adb", "adb-tool")
    for _ in session.rounds(session.options.rounds or 3):
        for kind in ("dishes", "photos"):
            for batch in (1, 100):
                # At batch 1 the disk is waited for, row by row.
                data = files(session, max(rows // 5, 1000) if batch == 1 else rows)
                file = data / f"{kind}.sdk.csv"
                with serving(session, adb) as port:
                    session.side("adb", [load, "into", "--file", file, "--db", address(port),
                                         "--batch", batch, "--threads", 4, "--case", kind])
                with serving(session, adb) as port:
                    session.peer("sdk", "server", "--file", file, "--port", port, "--batch", batch,
                                 "--threads", 4, "--case", kind)
        with serving(session, adb) as port:
            session.adb("served", "--data", session.data, "--work", session.scratch,
                        "--url", address(port), "--rows", faces)

    def over(kind, batch):
        case = f"{kind}, batch {batch}"
        return lambda pick: pick("adb", case, "rows/s") / pick("sdk", case, "rows/s")

    def added(clients):
        case = f"batch 100, {clients}"
        return lambda pick: (pick("adb", f"direct, {case}", "rows/s")
                             / pick("adb", f"through the server, {case}", "rows/s") - 1)

    ratios = [Ratio(f"{kind}, batch {batch}, 4 threads: adb / SDK, rows/s", "≥ 5", over(kind, batch))
              for kind in ("dishes", "photos") for batch in (1, 100)]
    for clients in ("1 client", "4 clients"):
        ratios.append(Ratio(f"what the server adds, batch 100, {clients}", "≤ 0.15", added(clients)))
    for unit in ("ms p50", "ms p99"):
        ratios.append(Ratio(f"a small request through the server, {unit}", "",
                            lambda pick, unit=unit:
                            pick("adb", "a small request, through the server", unit)))
    return ratios


def files(session, rows):
    """Rows of the Cookbook in all forms, made once."""
    data = session.data / f"cookbook-{rows}"
    if not (data / "dishes.sdk.csv").is_file():
        done = subprocess.run(words([session.program_of("load"), "rows", "--cookbook", COOKBOOK,
                                     "--data", data, "--rows", rows]),
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Fail(f"`load rows` failed: {tail(done.stderr)}")
    return data


def address(port):
    return f"adb://admin:{PASSWORD}@127.0.0.1:{port}?tls=off"


@contextlib.contextmanager
def serving(session, adb):
    """`adb serve` with an empty database; its port."""
    place = session.new("served")
    place.mkdir(parents=True)
    os.environ["ADB_ADMIN_PASSWORD"] = PASSWORD
    process = subprocess.Popen(
        [adb, "serve", "--db", place / "db", "--init", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = None
        for line in process.stdout:
            if line.startswith("listening on "):
                port = int(line.strip().rsplit(":", 1)[1])
                break
        if port is None:
            raise Fail(f"`adb serve` ended with {process.wait()}")
        yield port
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        session.remove("served")
