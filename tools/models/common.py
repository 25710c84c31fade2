"""What every script here shares: the cache's place, pip, atomic directories, errors, progress.

Standard library only, and cheap to import: a script must be able to say "already there" at once.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

try:
    import fcntl
except ImportError:  # Windows: no lock, so two simultaneous runs do the work twice
    fcntl = None


class Fail(Exception):
    """A failure with its whole story: what, where, and how to mend it."""


def run(main):
    """Runs `main` as a program: one voice for errors, 130 for Ctrl-C, clean-up on SIGTERM."""
    # SIGTERM would otherwise end Python without running the clean-up of half-made directories.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except Fail as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        print(f"error: {error}\n  mend: check the free space and the rights there, then run again",
              file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nstopped; nothing half-made was kept. Run the same command again to go on.",
              file=sys.stderr)
        sys.exit(130)


def cache_root():
    """The cache that the Rust side looks into as well; the order of the places is a contract."""
    if os.environ.get("ADB_CACHE_DIR"):
        return pathlib.Path(os.environ["ADB_CACHE_DIR"])
    if os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "adb"
    if sys.platform == "darwin":
        return pathlib.Path.home() / "Library" / "Caches" / "adb"
    return pathlib.Path.home() / ".cache" / "adb"


def size(count):
    """A number of bytes, for people."""
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def tree_size(directory):
    """The bytes of all files under a directory; files that vanish meanwhile count as nothing."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_json(path, value):
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    pathlib.Path(path).write_text(text, encoding="utf-8")


@contextlib.contextmanager
def step(text):
    """Says what is being done, then how long it took; the caller may add words to the result."""
    print(f"{text} ...", flush=True)
    start = time.monotonic()
    notes = []
    yield notes
    print("  " + ", ".join(notes + [f"{time.monotonic() - start:.1f} s"]), flush=True)


@contextlib.contextmanager
def locked(target):
    """One builder of `target` at a time; a second one waits, and then finds it finished."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    with open(target.parent / f".{target.name}.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"another run is making {target.name}; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever holds the lock is the only builder, so what lies here is from a killed run.
        for left in target.parent.glob(f".{target.name}.partial-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


@contextlib.contextmanager
def staged(target):
    """A directory beside `target` that becomes `target` in one rename if the block succeeds."""
    stage = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    try:
        result = stage / "result"
        result.mkdir()
        scratch = stage / "scratch"
        scratch.mkdir()
        yield result, scratch
        if target.exists():
            target.rename(stage / "replaced")
        result.rename(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def pip(arguments, scratch):
    """Runs pip with its temporary files in `scratch`, so that an end at any time leaves none."""
    temporary = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    environment = dict(
        os.environ,
        TMPDIR=str(temporary),
        PIP_USER="0",  # a user-wide `user = true` setting clashes with --target
        PIP_ROOT_USER_ACTION="ignore",
    )
    command = [sys.executable, "-m", "pip", *arguments, "-q", "--no-deps", "--no-input",
               "--disable-pip-version-check"]
    if "--no-binary" not in arguments:
        command += ["--only-binary", ":all:"]
    log = temporary / "pip.log"
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            _watch(process, scratch, tree_size(scratch))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode != 0:
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        raise Fail(f"pip could not do `{' '.join(arguments[:1] + arguments[-1:])}`:\n"
                   f"{_indent(said)}\n"
                   "  mend: `python3 -m pip --version` must work and pip must reach a package "
                   "index (or have --find-links set); then run this again")
    shutil.rmtree(temporary, ignore_errors=True)


def _watch(process, directory, before):
    """Progress of a pip run, from the bytes that it has put into its directory."""
    shown = 0
    while True:
        try:
            process.wait(timeout=0.3)
            break
        except subprocess.TimeoutExpired:
            have = tree_size(directory) - before
        if sys.stdout.isatty():
            print(f"\r  {size(have)} on disk so far   ", end="", flush=True)
        elif have - shown >= 20_000_000:  # a log wants a line now and then, not a moving one
            shown = have
            print(f"  {size(have)} on disk so far", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * 40 + "\r", end="", flush=True)


def _indent(text):
    return "\n".join("    " + line for line in text.splitlines()[-12:])


def download(requirement, scratch, digest=None, extra=()):
    """Downloads one wheel, without its dependencies, and gives its path."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    pip(["download", *extra, "-d", str(folder), requirement], scratch)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise Fail(f"pip gave {len(wheels)} wheels for {requirement}, wanted one\n"
                   "  mend: see what `python3 -m pip download --no-deps` gives for it by hand")
    if digest is not None and sha256(wheels[0]) != digest:
        raise Fail(f"{wheels[0].name} is not the file that this recipe was written for "
                   f"(sha256 {sha256(wheels[0])}, wanted {digest})\n"
                   "  mend: `python3 -m pip cache purge`, check the package index, run again")
    return wheels[0]


def download_source(requirement, scratch, digest):
    """Downloads a package that exists as a source archive alone, and gives its path.

    pip runs the package's `setup.py` to learn its metadata, so it is told the hash: it refuses
    another file before it runs anything of it.
    """
    folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{digest}\n", encoding="ascii")
    name = requirement.split("==")[0]
    pip(["download", "--no-binary", name, "--require-hashes", "-d", str(folder), "-r",
         str(pinned)], scratch)
    archive, = folder.glob("*.tar.gz")
    return archive


def complete_bundle(target):
    """The manifest of a complete bundle in the cache, or None."""
    try:
        manifest = json.loads((target / "bundle.json").read_text(encoding="utf-8"))
        complete = all((target / name).stat().st_size == entry["bytes"]
                       for name, entry in manifest["files"].items())
        return manifest if complete else None
    except (OSError, ValueError, KeyError):
        return None


def file_entries(result):
    """The `files` of a manifest: all that lies in the directory, with its hash and size."""
    return {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size}
            for path in sorted(result.iterdir()) if path.name != "bundle.json"}


def build_bundle(name, force, about, build):
    """Builds a bundle into the cache, unless a complete one is there.

    `about`: bytes of weights that come down. `build(result, scratch)` fills the directory.
    """
    target = cache_root() / "embedders" / name
    if force or complete_bundle(target) is None:
        with locked(target):
            if force or complete_bundle(target) is None:
                print(f"building {name}: about {size(about)} of weights to download, "
                      "and the tools to build with")
                with staged(target) as (result, scratch):
                    build(result, scratch)
                print(f"{name}: {target} ({size(tree_size(target))})")
                return
    print(f"{name} is already there: {target} ({size(tree_size(target))})")


def main_of_builder(script, description, name, about, build, more=()):
    """The whole command line of a script that builds one bundle, with `build_bundle`.

    `script`: its file's name; `more`: further examples for its help.
    """
    examples = [f"python3 tools/models/{script}",
                f"python3 tools/models/{script} --force     build it anew", *more]
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n" + "".join(f"  {example}\n" for example in examples))
    parser.add_argument("--force", action="store_true", help="build even if it is there")
    options = parser.parse_args()
    build_bundle(name, options.force, about, build)
