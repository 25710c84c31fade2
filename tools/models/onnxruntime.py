#!/usr/bin/env python3
"""Fetches ONNX Runtime's shared library into adb's cache, from a Python package index alone.

The library lies inside the `onnxruntime` wheel; the rest of the wheel (Python code, 40 MB) is
thrown away. Nothing is installed.
"""

import argparse
import json
import pathlib
import re
import shutil
import zipfile

from common import (Fail, cache_root, download, locked, run, sha256, size, staged, step,
                    write_json)

VERSION = "1.31.1"
ABOUT = 24_000_000

# The library is the same in the wheels of every Python version, so the Python that runs this
# script does not have to be one that the package supports.
WHEEL_PYTHON = "3.12"

LIBRARY = re.compile(r"onnxruntime/capi/(?:libonnxruntime\.so(?:\.[\d.]+)?"
                     r"|libonnxruntime(?:\.[\d.]+)?\.dylib|onnxruntime\.dll)$")
LICENCES = ["LICENSE", "ThirdPartyNotices.txt"]


def library_name(member):
    """The plain file name that the Rust side looks for."""
    if member.endswith(".dll"):
        return "onnxruntime.dll"
    return "libonnxruntime.dylib" if member.endswith(".dylib") else "libonnxruntime.so"


def present(target):
    """The library's path if a complete copy is in the cache."""
    try:
        info = json.loads((target / "info.json").read_text(encoding="utf-8"))
        library = target / info["file"]
        return library if library.stat().st_size == info["bytes"] else None
    except (OSError, ValueError, KeyError):
        return None


def unpack(wheel, result, version):
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if LIBRARY.match(name)]
        if len(members) != 1:
            raise Fail(f"{wheel.name} holds {len(members)} files that look like the shared "
                       f"library, wanted one: {members}\n"
                       f"  mend: try another version, as in --version {VERSION}")
        library = result / library_name(members[0])
        with archive.open(members[0]) as source, open(library, "wb") as copy:
            shutil.copyfileobj(source, copy)
        for name in LICENCES:
            (result / name).write_bytes(archive.read(f"onnxruntime/{name}"))
    write_json(result / "info.json", {
        "version": version,
        "file": library.name,
        "bytes": library.stat().st_size,
        "sha256": sha256(library),
        "source": f"PyPI package onnxruntime {version}, wheel {wheel.name}, {members[0]}",
        "licence": "MIT",
    })
    return library


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
               "  python3 tools/models/onnxruntime.py\n"
               "  python3 tools/models/onnxruntime.py --version 1.24.4\n"
               "  export ORT_DYLIB_PATH=$(python3 tools/models/onnxruntime.py --path)\n")
    parser.add_argument("--version", default=VERSION, metavar="X.Y.Z",
                        help=f"the release to fetch, 1.24 or newer (default {VERSION})")
    parser.add_argument("--path", action="store_true",
                        help="print the library's path and nothing else; fail if it is not there")
    options = parser.parse_args()
    if not re.fullmatch(r"\d+\.\d+\.\d+", options.version):
        parser.error(f"--version {options.version}: wanted three numbers, as in {VERSION}")
    if tuple(map(int, options.version.split(".")[:2])) < (1, 24):
        parser.error(f"--version {options.version}: adb calls the interface of release 1.24; "
                     f"take that or a newer one, as in {VERSION}")

    target = cache_root() / "onnxruntime" / options.version
    library = present(target)
    if options.path:
        if library is None:
            raise Fail(f"no ONNX Runtime {options.version} in {target}\n"
                       "  mend: run this script without --path")
        print(library)
        return
    if library is None:
        with locked(target):
            library = present(target)
            if library is None:
                fetch(target, options.version)
                return
    print(f"ONNX Runtime {options.version} is already there: {library} "
          f"({size(library.stat().st_size)})")


def fetch(target, version):
    with staged(target) as (result, scratch):
        with step(f"downloading onnxruntime {version} (about {size(ABOUT)})") as notes:
            wheel = download(f"onnxruntime=={version}", scratch,
                             extra=["--python-version", WHEEL_PYTHON])
            notes.append(size(wheel.stat().st_size))
        name = unpack(pathlib.Path(wheel), result, version).name
    library = target / name
    print(f"ONNX Runtime {version}: {library} ({size(library.stat().st_size)}, licence MIT)")


if __name__ == "__main__":
    run(main)
