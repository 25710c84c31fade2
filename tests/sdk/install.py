"""Installs the official Python SDK, pinned, into adb's cache, once: each release by itself, and what
all releases need beside them (tests/sdk/requirements.txt)."""

import contextlib
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools" / "models"))
from common import cache_root, locked, pip, staged

RELEASES = ["0.5.3", "0.4.58"]
REQUIREMENTS = HERE / "requirements.txt"


def installed(name, arguments):
    """A directory for PYTHONPATH with what pip installs by these arguments."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = cache_root() / "python" / f"{version}-{name}"
    if not target.is_dir():
        with locked(target), contextlib.ExitStack() as stack:
            if not target.is_dir():
                result, scratch = stack.enter_context(staged(target))
                print(f"installing {name} into {target} (once)", flush=True)
                pip(["install", "--target", str(result), *arguments], scratch)
    return target


def packages(release):
    """What PYTHONPATH is to be for a release of the SDK."""
    pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    needed = installed(f"sdk-needs-{pins}", ["--no-binary", "keepalive-socket",
                                                    "--requirement", str(REQUIREMENTS)])
    sdk = installed(f"sdk-{release}", [f"aperturedb=={release}"])
    return f"{sdk}:{needed}"
