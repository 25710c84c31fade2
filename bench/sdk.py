"""Installs the Python SDK, pinned, into adb's cache, once, and prints where.

Models and queries want pydantic and requests alone; what the SDK's other parts need is left out.
"""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools" / "models"))
from common import cache_root, locked, pip, run, staged

PACKAGES = [
    "aperturedb==0.5.3",
    "pydantic==2.14.4", "pydantic-core==2.50.5", "annotated-types==0.8.0",
    "typing-inspection==0.4.5", "typing_extensions==4.16.0",
    "requests==2.34.2", "urllib3==2.8.0", "idna==3.20", "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.2",
]


def main():
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = cache_root() / "python" / f"{version}-sdk-{PACKAGES[0].replace('==', '')}"
    if not target.is_dir():
        with locked(target), contextlib.ExitStack() as stack:
            if not target.is_dir():
                result, scratch = stack.enter_context(staged(target))
                print(f"installing {PACKAGES[0]} (once)", file=sys.stderr)
                pip(["install", "--target", str(result), *PACKAGES], scratch)
    print(target)


if __name__ == "__main__":
    run(main)
