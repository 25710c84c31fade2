"""Installs the peers, pinned in `bench/requirements.txt`, into adb's cache, once."""

import contextlib
import hashlib
import importlib.util
import os
import pathlib
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCH.parent / "tools" / "models"))
from common import Fail, cache_root, locked, staged

REQUIREMENTS = BENCH / "requirements.txt"


def fingerprint():
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]


def packages():
    """A directory for PYTHONPATH. Unlike a virtual environment it may be moved and copied."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = cache_root() / "python" / f"{version}-peers-{fingerprint()}"
    if not target.is_dir():
        with locked(target), contextlib.ExitStack() as stack:
            if not target.is_dir():
                result, scratch = stack.enter_context(staged(target))
                print(f"installing the peers into {target} (once)", flush=True)
                pip(result, scratch)
    return target


def sdk():
    """PYTHONPATH with the Python SDK and what it needs, as tests/sdk has them."""
    # Its module is called `install` as well.
    spec = importlib.util.spec_from_file_location("sdk_install",
                                                  BENCH.parent / "tests" / "sdk" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.packages(module.RELEASES[0])


def pip(result, scratch):
    environment = dict(os.environ, TMPDIR=str(scratch), PIP_USER="0", PIP_ROOT_USER_ACTION="ignore")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-input",
               "--disable-pip-version-check", "--target", str(result),
               "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Fail(f"pip could not install {REQUIREMENTS}:\n{done.stderr[-2000:]}\n"
                   "  mend: pip must reach a package index, and hnswlib wants a C++ compiler")
