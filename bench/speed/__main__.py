"""Measures the engine against its peers: `python3 bench/speed NAME`, called by `bench/*.sh`."""

import argparse
import pathlib
import sys
import textwrap
import time
import traceback

import install  # noqa: F401  puts tools/models on the path
from common import Fail, run
from report import tables
from session import Session
from suites import ALL, SUITES


def arguments():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in (*SUITES, "all"):
        raise Fail(f"no comparison is called {name!r}; there are: {', '.join(SUITES)}, all")
    suite = SUITES.get(name)
    about = suite.run.__doc__ if suite else "All comparisons, one after another."
    sizes = "" if suite is None else "\n\n" + textwrap.fill(
        f"Sizes: {' '.join(suite.sizes)}, {' '.join(map(str, suite.small))} unless told, "
        f"{' '.join(map(str, suite.full))} with --full.", 90)
    parser = argparse.ArgumentParser(
        prog=f"bench/{name}.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=about + sizes)
    if suite:
        parser.add_argument("sizes", nargs="*", type=float, metavar="SIZE")
    parser.add_argument("--full", action="store_true", help="the sizes that docs/benchmarks.md tells of")
    parser.add_argument("--rounds", type=int, help="how often the sides take turns")
    parser.add_argument("--bin", type=pathlib.Path, metavar="DIR",
                        help="where the program `speed` lies; else cargo builds it")
    parser.add_argument("--venv", type=pathlib.Path, metavar="DIR",
                        help="a virtual environment with the peers, or a directory of packages; else "
                             "they are installed into adb's cache")
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR",
                        help="on the disk that is meant [default: bench/ in adb's cache]")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE",
                        help="JSON lines are added to it [default: results.jsonl in the work directory]")
    parser.add_argument("--tables", type=pathlib.Path, metavar="FILE",
                        help="the tables are added to it [default: tables.md there]")
    parser.add_argument("--only", metavar="SIDE,...", type=lambda text: text.split(","),
                        help="adb, faiss, hnswlib, lancedb, usearch; of `embed`: adb, python, fastembed; "
                             "of `overhead` and `server`: adb, sdk")
    parser.add_argument("--skip", metavar="NAME,...", type=lambda text: text.split(","), default=[],
                        help="comparisons that `all` leaves out")
    parser.add_argument("--minutes", type=float,
                        help="no new round begins after so many [default in full: its share of 25]")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS",
                        help="for one turn of one side")
    if name == "embed":
        parser.add_argument("--repeat", type=int, default=2, metavar="N",
                            help="how often a side goes through the files in one turn (default 2)")
        parser.add_argument("--keep-tuning", action="store_true",
                            help="don't tune anew: use what is remembered, or else what is guessed")
    parser.add_argument("--drop-caches", action="store_true",
                        help="empty the whole system's page cache before a cold start, if root may; "
                             "else our own files' pages only [with --full: yes]")
    return name, parser.parse_args(sys.argv[2:])


def main():
    name, options = arguments()
    options.drop_caches |= options.full
    names = [each for each in ALL if each not in options.skip] if name == "all" else [name]
    start, failed = time.monotonic(), []
    for each in names:
        try:
            failed += measure(each, options)
        except (Fail, OSError) as error:
            if name != "all":
                raise
            print(f"{each} FAILED: {error}", flush=True)
            failed.append(each)
        except Exception:  # noqa: BLE001  the other comparisons go on
            if name != "all":
                raise
            traceback.print_exc()
            failed.append(each)
    print(f"{time.monotonic() - start:.0f} s in all"
          + (f"; failed: {', '.join(sorted(set(failed)))}" if failed else ""), flush=True)
    sys.exit(1 if failed else 0)


def measure(name, options):
    suite = SUITES[name]
    own = argparse.Namespace(**vars(options))
    if own.minutes is None and own.full:
        own.minutes = suite.minutes
    sizes = getattr(options, "sizes", []) or (suite.full if options.full else suite.small)
    if suite.sizes != ["MARK..."]:
        sizes = [*sizes, *suite.small[len(sizes):]]
    if len(sizes) > len(suite.sizes) and suite.sizes != ["MARK..."]:
        raise Fail(f"bench/{name}.sh takes {' '.join(suite.sizes)}; see --help")
    sizes = [size if name == "commit" else int(size) for size in sizes]
    session = Session(name, own, suite.program, suite.peers, suite.package)
    try:
        ratios = suite.run(session, sizes)
    finally:
        session.finish()
    text = tables(f"{suite.title} ({' '.join(map(str, sizes))})", session, ratios)
    print(text, flush=True)
    with open(options.tables or session.work / "tables.md", "a", encoding="utf-8") as file:
        file.write(text + "\n")
    return [f"{name}: {side}" for side, _ in session.failures]


run(main)
