"""Runs the programs with the SDK that this interpreter finds, against servers of its own."""

import argparse
import importlib
import os
import pathlib
import sys
import tempfile
import time
import traceback

# Before the SDK is imported: it writes a log into the working directory otherwise.
os.environ.setdefault("ADB_LOG_FILE", "")
os.environ.setdefault("TQDM_DISABLE", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import servers
import world as worlds

MODULES = ["sessions", "page", "loaders", "updates", "models", "objects", "utilities", "search",
           "exchange", "guides"]


def programs(only, short):
    """Programs by name, module by module: functions whose names begin with `program_`."""
    for module in map(importlib.import_module, MODULES):
        found = {}
        for name, function in vars(module).items():
            if not name.startswith("program_"):
                continue
            full = f"{module.__name__}.{name.removeprefix('program_')}"
            if only and not any(part in full for part in only):
                continue
            if short and getattr(function, "long", False):
                continue
            found[full] = function
        if found:
            yield found


def run(world, name, program):
    """Runs one program in an empty database; gives whether it went well."""
    start = time.monotonic()
    try:
        world.empty()
        program(world)
        well = True
    except Exception:
        traceback.print_exc()
        well = False
    print(f"{'ok    ' if well else 'FAILED'} {name}  {time.monotonic() - start:.2f} s", flush=True)
    return well


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adb", required=True, help="our program")
    parser.add_argument("--transport", choices=["tcp", "tls", "rest", "rest-tls"], default="tcp")
    parser.add_argument("--short", action="store_true", help="leave out what takes long")
    parser.add_argument("--chain", action="store_true", help="two servers; traces are replayed")
    parser.add_argument("--only", action="append", help="programs with this in their name")
    options = parser.parse_args()

    passed, failed = 0, []
    with tempfile.TemporaryDirectory(prefix="adb-sdk-") as scratch:
        os.chdir(scratch)
        kind = servers.Chain if options.chain else servers.Served
        servers.Chain.rest = options.transport.startswith("rest")
        tls = options.transport in ("tls", "rest-tls")
        for module in programs(options.only, options.short):
            with tempfile.TemporaryDirectory(dir=scratch) as directory:
                served = kind(options.adb, directory, tls)
                try:
                    world = worlds.World(served, options.transport, directory, options.short)
                    good = [run(world, *program) for program in module.items()]
                    served.stop()
                finally:
                    served.kill()
                names = list(module)
                if options.chain:
                    names.append(f"{names[0].partition('.')[0]}: traces")
                    good.append(served.conforms())
            passed += sum(good)
            failed += [name for name, well in zip(names, good) if not well]
    version = ".".join(map(str, worlds.SDK))
    print(f"SDK {version} over {options.transport}: {passed} passed, {len(failed)} failed"
          + "".join(f"\n  {name}" for name in failed), flush=True)
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
