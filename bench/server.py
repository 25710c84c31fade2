"""Our loader and the official SDK's through the same server, round trips, and what the server costs."""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "sdk"))
sys.dont_write_bytecode = True
import install
from common import run

RELEASE = install.RELEASES[0]
PASSWORD = "bench-passw0rd"


class Served:
    """`adb serve` in front of an empty database."""

    def __init__(self, adb, directory):
        environment = {**os.environ, "ADB_ADMIN_PASSWORD": PASSWORD, "ADB_LOG": "warn"}
        self.process = subprocess.Popen(
            [adb, "serve", "--db", directory / "db", "--init", "--listen", "127.0.0.1:0"],
            env=environment, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise SystemExit("adb serve did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def persons(path, count):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        # The first and the last column are the SDK's; ours passes over them.
        writer.writerow(["EntityClass", "id", "name", "age", "height", "city", "constraint_id"])
        for n in range(count):
            writer.writerow(["Person", n, f"person {n}", n % 90, n / 7, "Leeds", n])


def told(command, **environment):
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(prog="bench/server.sh", description=__doc__)
    parser.add_argument("--rows", type=int, default=4000, help="for batches of 100 [4000]")
    parser.add_argument("--single", type=int, default=800, help="rows for batches of 1 [800]")
    parser.add_argument("--trips", type=int, default=2000, help="[2000]")
    parser.add_argument("--rounds", type=int, default=3, help="how often the sides take turns [3]")
    parser.add_argument("--bin", type=pathlib.Path, help="where `adb` and `server` lie; else built")
    options = parser.parse_args()
    if options.bin is None:
        for package, name in [("adb-tool", "adb"), ("adb-bench", "server")]:
            subprocess.run(["cargo", "build", "--quiet", "--release", "--package", package, "--bin",
                            name], cwd=ROOT, check=True)
        options.bin = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    adb, rust = options.bin / "adb", options.bin / "server"
    sdk = {"PYTHONPATH": install.packages(RELEASE)}
    python = [sys.executable, str(ROOT / "bench" / "server_sdk.py"), "--password", PASSWORD]
    print("load before:", *pathlib.Path("/proc/loadavg").read_text().split()[:3])

    figures = {}

    def note(side, what, value):
        figures.setdefault((what, side), []).append(value)
        print(f"{what:<28}{side:<8}{value:>12,.1f}", flush=True)

    def rate(told):
        return told["rows"] / told["seconds"]

    for _ in range(options.rounds):
        for batch, rows in [(1, options.single), (100, options.rows)]:
            what = f"rows/s, batch {batch}"
            for side in ["adb", "sdk"]:
                with tempfile.TemporaryDirectory() as scratch:
                    scratch = pathlib.Path(scratch)
                    persons(scratch / "persons.csv", rows)
                    with Served(adb, scratch) as served:
                        address = f"adb://admin:{PASSWORD}@127.0.0.1:{served.port}?tls=off"
                        if side == "adb":
                            note(side, what, rate(told(
                                [rust, "--db", address, "load", scratch / "persons.csv", "--batch",
                                 str(batch)])))
                        else:
                            note(side, what, rate(told(
                                [*python, "--port", str(served.port), "--rows",
                                 str(scratch / "persons.csv"), "--batch", str(batch)], **sdk)))
        with tempfile.TemporaryDirectory() as scratch, Served(adb, pathlib.Path(scratch)) as served:
            address = f"adb://admin:{PASSWORD}@127.0.0.1:{served.port}?tls=off"
            ours = told([rust, "--db", address, "trips", "--count", str(options.trips)])
            theirs = told([*python, "--port", str(served.port), "--trips", str(options.trips)], **sdk)
            for side, trips in [("adb", ours), ("sdk", theirs)]:
                note(side, "round trip p50, µs", trips["p50_us"])
                note(side, "round trip p99, µs", trips["p99_us"])
        for side in ["engine", "server"]:
            with tempfile.TemporaryDirectory() as scratch:
                scratch = pathlib.Path(scratch)
                write = ["write", "--rows", str(5 * options.rows), "--batch", "100"]
                if side == "engine":
                    note(side, "ready requests, rows/s", rate(
                        told([rust, "--db", scratch / "db", *write])))
                else:
                    with Served(adb, scratch) as served:
                        address = f"adb://admin:{PASSWORD}@127.0.0.1:{served.port}?tls=off"
                        note(side, "ready requests, rows/s", rate(
                            told([rust, "--db", address, *write])))

    print("\n| | side | min | median | max |\n|---|---|---|---|---|")
    for (what, side), values in figures.items():
        print(f"| {what} | {side} | {min(values):,.0f} | {statistics.median(values):,.0f} | "
              f"{max(values):,.0f} |")
    ratios = [("rows/s, batch 1", "adb", "sdk"), ("rows/s, batch 100", "adb", "sdk"),
              ("ready requests, rows/s", "server", "engine")]
    for what, one, other in ratios:
        pairs = [a / b for a, b in zip(figures[what, one], figures[what, other])]
        print(f"| {what} | {one} / {other} | {min(pairs):.2f} | {statistics.median(pairs):.2f} | "
              f"{max(pairs):.2f} |")
    print("load after:", *pathlib.Path("/proc/loadavg").read_text().split()[:3])


if __name__ == "__main__":
    run(main)
