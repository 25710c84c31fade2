"""Pinned Python packages, installed with `pip install --target` and put on the import path.

Never a virtual environment and never the user's own site-packages. Run as a program, it installs
the named ones (or what runs a bundle) into the cache, for tests and tools that come later.
"""

import contextlib
import importlib
import pathlib
import sys

from common import Fail, cache_root, locked, pip, run, size, staged, step, tree_size

# For each package, newest first: the lowest Python that the version takes, the version, and about
# how many bytes come down. Old Pythons get the last version that was made for them.
PINS = {
    "numpy": [((3, 11), "2.4.6", 17e6), ((3, 9), "2.0.2", 19e6)],
    "onnx": [((3, 10), "1.23.2", 9e6), ((3, 9), "1.19.1", 18e6)],
    "protobuf": [((3, 10), "7.36.2", 0.3e6), ((3, 9), "6.33.6", 0.3e6)],
    "ml_dtypes": [((3, 10), "0.6.0", 0.4e6), ((3, 9), "0.5.4", 5e6)],
    "typing_extensions": [((3, 9), "4.16.0", 0.05e6)],
    "tokenizers": [((3, 10), "0.23.3", 3.4e6), ((3, 9), "0.22.2", 3.3e6)],
    "onnxruntime": [((3, 11), "1.31.1", 24e6), ((3, 10), "1.23.2", 17e6), ((3, 9), "1.19.2", 13e6)],
    "pillow": [((3, 11), "13.0.0", 7e6), ((3, 10), "12.3.0", 7e6), ((3, 9), "11.3.0", 7e6)],
    "packaging": [((3, 9), "26.4", 0.08e6)],  # which ONNX Runtime's quantisation imports
    "h5py": [((3, 10), "3.16.0", 5e6), ((3, 9), "3.14.0", 5e6)],
    "lz4": [((3, 9), "4.4.5", 1.4e6)],
    "resvg_py": [((3, 10), "0.5.0", 1.5e6)],  # for tools/sample, which draws the demo's pictures
}

# What writes the bundle, and what runs it. They are apart, so that a user who only wants the
# bundle never installs the second.
GRAPHS = ["numpy", "onnx", "protobuf", "ml_dtypes", "typing_extensions"]
BUILD = [*GRAPHS, "tokenizers"]
RUN = ["numpy", "pillow", "tokenizers", "onnxruntime"]
# What turns a bundle into one of int8, and compares the two.
QUANTISE = [*BUILD, "packaging", "pillow", "onnxruntime"]

# What reads the weights of faces, beside what writes the bundle.
FACES = ["h5py", "lz4"]


def _pin(name):
    for lowest, version, about in PINS[name]:
        if sys.version_info[:2] >= lowest:
            return f"{name}=={version}", about
    lowest = ".".join(map(str, PINS[name][-1][0]))
    raise Fail(f"Python {sys.version.split()[0]} is too old for the package {name}\n"
               f"  mend: use Python {lowest} or newer")


def _install(names, target, scratch):
    pins = [_pin(name) for name in names]
    about = sum(count for _, count in pins)
    with step(f"installing {', '.join(pin for pin, _ in pins)} (about {size(about)} to download)"
              ) as notes:
        pip(["install", "--target", str(target), *(pin for pin, _ in pins)], scratch)
        notes.append(f"{size(tree_size(target))} installed")


def _admit(directory):
    # In front of everything: the folder of these scripts has an `onnxruntime.py` of its own.
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()


def temporarily(names, scratch):
    """Installs packages under `scratch`, which the caller removes when it is done."""
    target = pathlib.Path(scratch) / "packages"
    _install(names, target, scratch)
    _admit(target)


def kept(names):
    """Installs packages into the cache once, for the tools that one runs again and again."""
    tag = "-".join(sorted(_pin(name)[0].replace("==", "") for name in names))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = cache_root() / "python" / f"{version}-{tag}"
    if not target.is_dir():
        with locked(target), contextlib.ExitStack() as stack:
            if not target.is_dir():
                result, scratch = stack.enter_context(staged(target))
                _install(names, result, scratch)
                print(f"  kept in {target}; remove it whenever you like")
    _admit(target)


def if_kept(names):
    """Puts packages on the path if the cache has them at the pinned versions; installs nothing.

    Of several folders the one with the fewest others. One with the package `onnxruntime` only where
    that is wanted: it would hide the script of that name.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    wanted = {_pin(name)[0].replace("==", "") for name in names}
    hides = {_pin("onnxruntime")[0].replace("==", "")} - wanted
    having = {directory: set(directory.name.split("-")[1:])
              for directory in sorted((cache_root() / "python").glob(f"{version}-*"))}
    fitting = [directory for directory, packages in having.items()
               if wanted <= packages and not hides & packages]
    if fitting:
        _admit(min(fitting, key=lambda directory: len(having[directory])))


def main():
    names = sys.argv[1:] or RUN
    if unknown := [name for name in names if name not in PINS]:
        raise Fail(f"no pinned version of {', '.join(unknown)}\n"
                   f"  mend: choose from {', '.join(PINS)}")
    kept(names)
    print(f"in place: {', '.join(_pin(name)[0] for name in names)}")


if __name__ == "__main__":
    run(main)
