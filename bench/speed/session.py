"""One comparison: who takes turns, what they print, and the machine that they run on."""

import datetime
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

from common import Fail, cache_root
from install import BENCH, fingerprint, packages, sdk

REPOSITORY = BENCH.parent
PEERS = BENCH / "peers"
# Would set how numpy's and faiss's linear algebra runs, whatever the machine is.
FOREIGN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
           "MKL_NUM_THREADS", "PYTHONPATH")


class Session:
    """Runs the sides of one comparison, and keeps what they print."""

    def __init__(self, name, options, program="speed", peers="peers", package="adb-bench"):
        self.name, self.options, self.program = name, options, program
        # What Python's sides are made of: the peers of the engine, what runs a bundle, the Python SDK;
        # nothing where there are no such sides.
        self.peers = peers
        self.work = (options.work or cache_root() / "bench").resolve()
        self.data, self.scratch = self.work / "data", self.work / "scratch"
        for directory in (self.data, self.scratch):
            directory.mkdir(parents=True, exist_ok=True)
        self.results = options.results or self.work / "results.jsonl"
        self.run = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.start = time.monotonic()
        self.records, self.failures = [], []
        # Round 0: what is made once, before the rounds.
        self.round = self.rounds_done = 0
        self.speed = self.program_of(program, package)
        self.python = self._python()
        self.machine = self._machine()
        self._write({"run": self.run, "bench": name, "machine": self.machine})

    # Where things are

    def program_of(self, name, package="adb-bench"):
        """A program of the repository, built unless `--bin` says where it lies."""
        if self.options.bin:
            program = self.options.bin.resolve() / name
        else:
            command = ["cargo", "build", "--quiet", "--release", "--package", package, "--bin", name]
            if subprocess.run(command, cwd=REPOSITORY).returncode != 0:
                raise Fail(f"the program `{name}` could not be built\n"
                           "  mend: see cargo's words above, or name a built one with --bin DIR")
            target = os.environ.get("CARGO_TARGET_DIR", "target")
            program = REPOSITORY / target / "release" / name
        if not os.access(program, os.X_OK):
            raise Fail(f"{program} is no program\n  mend: --bin wants the directory where it lies")
        return program

    def _python(self):
        """The interpreter of the peers, and PYTHONPATH for it; nothing if they can't be had."""
        directory = self.options.venv
        if self.peers is None:
            return None
        if directory is None and self.peers == "sdk":
            return sys.executable, sdk()
        if directory is None and self.peers != "peers":
            return sys.executable, None  # it installs what it needs itself
        if directory is None:
            try:
                directory = packages()
            except Fail as error:
                self._fail("peers", str(error))
                return None
        directory = directory.resolve()
        interpreter = directory / "bin" / "python"
        if interpreter.exists():
            return str(interpreter), None
        return sys.executable, str(directory)

    def _machine(self):
        peers = {}
        if self.python:
            peers = self._versions()
        return {
            "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "system": f"{platform.system()} {platform.release()}",
            "file_system": file_system(self.work), "python": platform.python_version(),
            "speed": digest(self.speed), "commit": commit(), "load_before": load(), "peers": peers,
        }

    def _versions(self):
        """What the peers are; without an answer there are none."""
        command = (self._peer_command("versions") if self.peers == "peers"
                   else self._peer_command(f"{self.peers}_peer", "versions"))
        try:
            done = self._execute(command, None, 120)
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        else:
            if done.returncode == 0:
                return json.loads(done.stdout.strip().splitlines()[-1])
            why = tail(done.stderr)
        self._fail("peers", f"{' '.join(command)}: {why}")
        self.python = None
        return {}

    # Running

    def rounds(self, count):
        """1, 2, ... as far as the time that this comparison has allows."""
        for number in range(1, count + 1):
            spent = (time.monotonic() - self.start) / 60
            if number > 1 and self.options.minutes and spent > self.options.minutes:
                print(f"{spent:.1f} minutes are gone: no round {number}", flush=True)
                return
            print(f"== {self.name}, round {number} (load {load()})", flush=True)
            self.round = number
            yield number
            self.rounds_done = number

    def adb(self, *arguments, suffix="", cores=None, side="adb"):
        return self._side(side, [str(self.speed), *words(arguments)], suffix, cores)

    def peer(self, side, *arguments, suffix="", cores=None, data=None, name=None):
        if not self.python:
            return False
        return self._side(name or side, self._peer_command(f"{side}_peer", *words(arguments),
                                                           "--data", str(data or self.data)),
                          suffix, cores)

    def side(self, side, command):
        """A side that is a program of its own."""
        return self._side(side, words(command), "", None)

    def _peer_command(self, script, *arguments):
        return [self.python[0], str(PEERS / f"{script}.py"), *arguments]

    def _side(self, side, command, suffix, cores):
        """Runs one side and keeps its figures. That it fails is reported, and stops nobody else."""
        if self.options.only and side not in self.options.only:
            return False
        start = time.monotonic()
        try:
            done = self._execute(command, cores, self.options.timeout)
        except subprocess.TimeoutExpired:
            return self._fail(side, f"{' '.join(command)}: not done after {self.options.timeout} s")
        if done.returncode != 0:
            return self._fail(side, f"{' '.join(command)}: exit {done.returncode}: "
                                    f"{tail(done.stderr)}")
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                record["case"] += suffix
                record = {"run": self.run, "bench": self.name, "round": self.round,
                          "side": side, **record}
                self.records.append(record)
                self._write(record)
        print(f"  {side}: {time.monotonic() - start:.1f} s", flush=True)
        return True

    def _execute(self, command, cores, timeout):
        environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        if self.python and self.python[1]:
            environment["PYTHONPATH"] = self.python[1]
        before = os.sched_getaffinity(0)
        if cores:
            os.sched_setaffinity(0, sorted(before)[:cores])  # the child inherits it
        try:
            return subprocess.run(command, env=environment, capture_output=True, text=True,
                                  timeout=timeout)
        finally:
            os.sched_setaffinity(0, before)

    def once(self, side, name, *arguments):
        """A directory that one side makes, kept until whoever made it changes."""
        made = self.work / f"{side}-{name}"
        maker = digest(self.speed) if side == "adb" else fingerprint()
        stamp = self.work / f"{side}-{name}.made-by"
        if made.exists() and stamp.exists() and stamp.read_text() == maker:
            return made
        shutil.rmtree(made, ignore_errors=True)
        stamp.unlink(missing_ok=True)
        print(f"making {made} (once)", flush=True)
        place = ("--db", made) if side == "adb" else ("--work", made)
        run = self.adb if side == "adb" else self.peer
        if run(*(() if side == "adb" else (side,)), *arguments, *place):
            stamp.write_text(maker)
            return made
        shutil.rmtree(made, ignore_errors=True)
        return None

    def forget(self, side, name):
        """Has `once` make it anew."""
        (self.work / f"{side}-{name}.made-by").unlink(missing_ok=True)

    def new(self, name):
        """A directory in the scratch place that is not there yet."""
        self.remove(name)
        return self.scratch / name

    def remove(self, name):
        shutil.rmtree(self.scratch / name, ignore_errors=True)

    def prepare(self, rows, dimensions, truth=False):
        """The files that all sides read."""
        what = ("--data", self.data, "--rows", rows, "--dimensions", dimensions)
        for command in ("data", "truth") if truth else ("data",):
            done = subprocess.run(words([self.speed, command, *what]), capture_output=True,
                                  text=True)
            if done.returncode != 0:
                raise Fail(f"`speed {command}` failed: {tail(done.stderr)}")

    def cold(self, *places):
        """Sees to it that the pages of these files are not in memory; says how."""
        os.sync()
        if self.options.drop_caches:
            try:
                pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
                return "drop_caches"
            except OSError:
                pass  # not root: our own files at least
        for place in places:
            for path in [place, *place.rglob("*")]:
                if path.is_file():
                    file = os.open(path, os.O_RDONLY)
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(file)
        return "posix_fadvise"

    # Telling

    def fail(self, side, why):
        """Notes that a side can't take part."""
        return self._fail(side, why)

    def _fail(self, side, why):
        print(f"  {side} FAILED: {why}", flush=True)
        self.failures.append((side, why))
        self._write({"run": self.run, "bench": self.name, "side": side, "failed": why})
        return False

    def _write(self, record):
        with open(self.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def finish(self):
        self.machine["load_after"] = load()
        self._write({"run": self.run, "bench": self.name, "load_after": load(),
                     "rounds": self.rounds_done})


def words(arguments):
    return [str(argument) for argument in arguments]


def tail(text):
    return "\n".join(text.strip().splitlines()[-6:])


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=REPOSITORY,
                          capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def file_system(path):
    done = subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
