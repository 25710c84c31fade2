"""What the peers share: the files that `speed data` and `speed truth` wrote, and figures.

The formulas are those of `bench/src/bin/speed/data.rs`.
"""

import argparse
import json
import pathlib
import time

import numpy as np

K = 10
# Searches whose answers are known.
KNOWN = 200
# Filters: "bucket < ..." of 1000, and what share that is.
FILTERS = [(1000, "100 %"), (500, "50 %"), (50, "5 %"), (5, "0.5 %")]
PICTURE = 20_000
WARM = 5
# A case stops after so many seconds, even if not all known searches have had their turn.
PATIENCE = 6.0
AT_LEAST = 10
# The recall from which on the time of a search counts.
ENOUGH = 0.985


def arguments(*commands):
    """Arguments of a peer: what to do, where the data are, and how much."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=commands)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, help="where a table or an index lies")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--marks", type=lambda text: [int(mark) for mark in text.split(",")])
    parser.add_argument("--indexed-to", type=int, default=0)
    parser.add_argument("--column", choices=["binary", "blob"], default="binary")
    parser.add_argument("--searching", action="store_true")
    parser.add_argument("--indexing", action="store_true")
    return parser.parse_args()


def vectors(data, rows, dimensions):
    return np.memmap(data / f"vectors-{dimensions}", "<f4", "r", shape=(rows, dimensions))


def queries(data, dimensions):
    return np.fromfile(data / f"queries-{dimensions}", "<f4").reshape(-1, dimensions)


def truth(data, rows, dimensions):
    """For each filter and each search: ten rows, 0xffffffff where there are fewer."""
    numbers = np.fromfile(data / f"truth-{rows}x{dimensions}", "<u4")
    return numbers.reshape(len(FILTERS), KNOWN, K)


def mix(state):
    """SplitMix64's next number after each state."""
    with np.errstate(over="ignore"):
        z = np.asarray(state, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def buckets(first, count):
    rows = np.arange(first, first + count, dtype=np.uint64)
    return (mix(rows ^ np.uint64(0xB0C)) % np.uint64(1000)).astype(np.int64)


def noise(data):
    return (data / "noise").read_bytes()


def picture(noise, row):
    length = PICTURE - 16
    start = row * 20_011 % (len(noise) - length)
    return b"\x89PNG\r\n\x1a\n" + row.to_bytes(8, "little") + noise[start:start + length]


def picture_row(picture):
    return int.from_bytes(picture[8:16], "little")


def figure(case, unit, value, variant="", **more):
    """A line for the program that takes turns."""
    line = {"case": case, "unit": unit, "value": float(value), "variant": variant, **more}
    print(json.dumps(line), flush=True)


def figure_times(case, seconds, variant="", **more):
    """The median and the 99th percentile."""
    ordered = sorted(seconds)
    for share, unit in ((0.5, "ms p50"), (0.99, "ms p99")):
        at = int((len(ordered) - 1) * share + 0.5)
        figure(case, unit, ordered[at] * 1e3, variant, searches=len(ordered), **more)


def recall(answers, expected):
    """The share of the nearest that the answers to the first searches hold."""
    found = total = 0
    for answer, nearest in zip(answers, expected):
        wanted = {row for row in nearest.tolist() if row != 0xFFFFFFFF}
        found += len(wanted.intersection(answer))
        total += len(wanted)
    return found / max(total, 1)


def search_all(case, queries, expected, search, variant="", count=KNOWN):
    """Times `search`, which takes a vector and gives row numbers; gives the recall."""
    for query in queries[:WARM]:
        search(query)
    seconds, answers = [], []
    start = time.perf_counter()
    for query in queries[:count]:
        before = time.perf_counter()
        if before - start > PATIENCE and len(seconds) >= AT_LEAST:
            break
        found = search(query)
        seconds.append(time.perf_counter() - before)
        answers.append([int(row) for row in found])
    share = recall(answers, expected)
    figure_times(case, seconds, variant, recall=share)
    figure(case, "recall@10", share, variant)
    return share


def resident():
    """Bytes that this process has in memory and that are no file's."""
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


def on_disk(directory):
    files = (path for path in directory.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)
