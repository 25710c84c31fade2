"""Downloads pictures from a web server that is slow, breaks off, and wants to be left alone: adb's
pipeline and img2dataset by turns, each from a server of its own with the same seed. Called by
`bench/download.sh`.

img2dataset (pinned in `bench/download.txt`) is installed into adb's cache, once.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "tools" / "models"))
from common import Fail, cache_root, locked, pip, run, staged

REQUIREMENTS = BENCH / "download.txt"


def arguments():
    parser = argparse.ArgumentParser(
        prog="bench/download.sh", description="Pictures per second from a web server that misbehaves.")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=100_000, help="of a picture")
    parser.add_argument("--rate", type=int, default=400,
                        help="requests a second that the server answers; others are told to come back "
                             "after a second")
    parser.add_argument("--at-once", type=int, default=64, help="downloads at once, of each side")
    parser.add_argument("--retries", type=int, default=5, help="of img2dataset, whose default is 0")
    parser.add_argument("--rounds", type=int, default=3, help="how often the sides take turns")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["adb", "img2dataset"])
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR",
                        help="where the program `download` lies; else cargo builds it")
    return parser.parse_args()


def program(given):
    if given:
        return given / "download"
    root = BENCH.parent
    subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "adb-bench", "--bin",
                    "download"], cwd=root, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "release" / "download"


def peer():
    """img2dataset and all that it needs, as a directory for PYTHONPATH."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    name = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    target = cache_root() / "python" / f"{version}-img2dataset-{name}"
    if not target.is_dir():
        with locked(target), contextlib.ExitStack() as stack:
            if not target.is_dir():
                result, scratch = stack.enter_context(staged(target))
                print(f"installing img2dataset into {target} (once)", file=sys.stderr)
                pip(["install", "--target", str(result), "--requirement", str(REQUIREMENTS)], scratch)
    return target


@contextlib.contextmanager
def serving(binary, options, work):
    """A server with a list of its pictures; what it was asked is in the dictionary afterwards."""
    addresses, told = work / "addresses.txt", {}
    addresses.unlink(missing_ok=True)
    server = subprocess.Popen(
        [binary, "serve", "--seed", str(options.seed), "--pictures", str(options.pictures), "--bytes",
         str(options.bytes), "--rate", str(options.rate), "--list", str(addresses)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        # It is written whole before the server takes more than a moment; the last line tells.
        while not addresses.exists() or addresses.read_text().count("\n") < options.pictures:
            if server.poll() is not None:
                raise Fail("the server ended at once")
            time.sleep(0.05)
        yield addresses, told
        told.update(json.loads(server.communicate()[0]))
    finally:
        if server.poll() is None:
            server.kill()


def adb(binary, options, addresses, work):
    done = subprocess.run(
        [binary, "fetch", "--list", addresses, "--at-once", str(options.at_once), "--database",
         work / "pictures.adb"], check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    return {"pictures": result["got"], "others": 0, "seconds": result["seconds"]}


def img2dataset(binary, options, addresses, work):
    packages = peer()
    output = work / "output"
    started = time.monotonic()
    # A program of its own: it is told by arguments alone, and may leave processes behind.
    command = ("import sys; from img2dataset import download; download("
               "url_list=sys.argv[1], output_folder=sys.argv[2], thread_count=int(sys.argv[3]), "
               "retries=int(sys.argv[4]), processes_count=1, timeout=10, resize_mode='no', "
               "disable_all_reencoding=True, extract_exif=False, compute_hash=None, "
               "output_format='files', input_format='txt', enable_wandb=False, max_shard_retry=0)")
    done = subprocess.run(
        [sys.executable, "-c", command, str(addresses), str(output), str(options.at_once),
         str(options.retries)],
        env=dict(os.environ, PYTHONPATH=str(packages), NO_ALBUMENTATIONS_UPDATE="1"),
        capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        raise Fail(f"img2dataset failed:\n{done.stderr[-2000:]}")
    counted = subprocess.run([binary, "count", output], check=True, capture_output=True, text=True)
    return dict(json.loads(counted.stdout), seconds=seconds)


def main():
    options = arguments()
    binary = program(options.bin).resolve()
    sides = {"adb": adb, "img2dataset": img2dataset}
    if options.only:
        sides = {options.only: sides[options.only]}
    if "img2dataset" in sides:
        peer()
    results = {name: [] for name in sides}
    print(f"load before: {os.getloadavg()[0]:.1f}; {options.pictures} pictures of {options.bytes} bytes, "
          f"{options.at_once} at once, {options.rate} requests/s, seed {options.seed}")
    for number in range(options.rounds):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory() as directory:
                work = pathlib.Path(directory)
                with serving(binary, options, work) as (addresses, told):
                    result = side(binary, options, addresses, work)
                result.update(told, rate=result["pictures"] / result["seconds"])
                results[name].append(result)
                print(f"round {number + 1}, {name}: {json.dumps(result)}", flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}")
    print("| median of the rounds | pictures | other files | pictures/s | requests | told to wait | "
          "asked again too early |\n|---|---|---|---|---|---|---|")
    for name, rounds in results.items():
        def middle(key):
            return statistics.median(result[key] for result in rounds)
        print(f"| {name} | {middle('pictures'):.0f} | {middle('others'):.0f} | {middle('rate'):.0f} | "
              f"{middle('requests'):.0f} | {middle('told_to_wait'):.0f} | "
              f"{middle('asked_too_early'):.0f} |")


run(main)
