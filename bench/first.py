"""Times ./demo, step by step, until its first search has found what it ought to. Called by
`bench/first.sh`."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools" / "models"))
from common import Fail, run

# The first search, and what must be its first hit.
SEARCH = HIT = "creamy curry"


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/first.sh", description="Seconds from nothing to the first correct search.")
    parser.add_argument("--whole", action="store_true",
                        help="with nothing built and no embedder: an empty target directory, an empty "
                             "cache of adb. Packages of cargo and pip are where they are. Minutes. "
                             "Without it the program is built and the embedder is there: what is "
                             "empty is the database's directory")
    parser.add_argument("--rounds", type=int, default=3, help="without --whole (default 3)")
    return parser.parse_args()


def demo(environment, database):
    """Seconds at which each step of ./demo began, and at which the first hit was printed."""
    steps, started = [], time.monotonic()
    process = subprocess.Popen([ROOT / "demo", "--db", database], env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, searching = [], False
    for line in process.stdout:
        now, line = time.monotonic() - started, line.strip()
        said.append(line)
        if line.startswith("== "):
            steps.append((now, line[3:]))
            searching = line == f"== Search: {SEARCH}"
        elif searching and line.split()[:1] == ["1"]:
            if HIT not in line:
                raise Fail(f"the first hit for {SEARCH!r} is another: {line}")
            steps.append((now, ""))
            searching = False
    if process.wait() != 0 or not steps or all(step for _, step in steps):
        raise Fail("./demo found nothing:\n" + "\n".join(said[-8:]))
    return steps[:[step for _, step in steps].index("") + 1]


def main():
    options = arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="adb-first-") as directory:
        place, environment = pathlib.Path(directory), dict(os.environ)
        if options.whole:
            environment |= {"CARGO_TARGET_DIR": str(place / "target"),
                            "ADB_CACHE_DIR": str(place / "cache")}
        else:
            demo(environment, place / "untimed.adb")
        rounds = [demo(environment, place / f"{number}.adb")
                  for number in range(1 if options.whole else options.rounds)]
    rounds.sort(key=lambda steps: steps[-1][0])
    middle = rounds[len(rounds) // 2]
    print("| step | seconds |\n|---|---|")
    for (began, step), (ended, _) in zip(middle, middle[1:]):
        print(f"| {step} | {ended - began:.2f} |")
    print(f"| until the first correct search | {middle[-1][0]:.2f} ("
          f"{rounds[0][-1][0]:.2f} – {rounds[-1][-1][0]:.2f}, {len(rounds)} rounds) |")
    print(f"load before: {load:.1f}")


run(main)
