"""Servers that the programs run against: `adb serve`, alone or behind another one that records."""

import contextlib
import os
import pathlib
import signal
import subprocess

PASSWORD = "sdk-test-passw0rd"


class Served:
    """`adb serve` in a directory of its own."""

    recorded = False

    def __init__(self, adb, directory, tls, *options):
        self.adb, self.directory, self.tls = adb, pathlib.Path(directory), tls
        self.options = [*options, *(["--tls-self-signed"] if tls else [])]
        self.port = self.rest_port = 0
        self.start()

    def source(self):
        """What is served."""
        return ["--db", str(self.directory / "db"), "--fetch-allow", "127.0.0.1"]

    def start(self):
        environment = {**os.environ, "ADB_ADMIN_PASSWORD": PASSWORD, "ADB_LOG": "adb=warn"}
        self.process = subprocess.Popen(
            [self.adb, "serve", *self.source(), "--init", "--listen", f"127.0.0.1:{self.port}",
             "--rest", f"127.0.0.1:{self.rest_port}", *self.options],
            env=environment, stdout=subprocess.PIPE, text=True)
        self.certificate = None
        for line in self.process.stdout:
            name, _, value = line.strip().partition(": ")
            if name == "certificate":
                self.certificate = value
            elif name == "REST":
                self.rest_port = int(value.removesuffix("/api").rsplit(":", 1)[1])
            elif line.startswith("listening on "):
                self.port = int(line.strip().rsplit(":", 1)[1])
                return
        raise AssertionError(f"adb serve ended with {self.process.wait()}")

    def stop(self):
        """Ends it in order."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0, f"adb serve ended with {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        """Ends it and starts it again, where it was."""
        self.stop()
        self.start()

    def user(self, *arguments):
        """Runs `adb serve user …`, and gives what it prints."""
        command = [self.adb, "serve", "user", *arguments, "--db", str(self.directory / "db")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def conforms(self):
        """Nothing is recorded."""
        return True

    @contextlib.contextmanager
    def another(self, directory, *options):
        """One more of the same sort, for a while."""
        served = type(self)(self.adb, directory, self.tls, *options)
        try:
            yield served
            served.stop()
        finally:
            served.kill()
        assert served.conforms()


class Chain(Served):
    """`adb serve --upstream`, which records, in front of `adb serve --db`."""

    recorded = True
    # By which of its two protocols the server behind is asked.
    rest = False

    def __init__(self, adb, directory, tls, *options):
        self.traces = []
        (pathlib.Path(directory) / "behind").mkdir()
        self.behind = Served(adb, pathlib.Path(directory) / "behind", tls)
        super().__init__(adb, directory, tls, "--state", str(pathlib.Path(directory) / "db.server"),
                         *options)

    def source(self):
        behind = self.behind
        self.traces.append(self.directory / f"{len(self.traces)}.adbtrace")
        scheme = ("https" if self.tls else "http") if self.rest else "adb"
        port = behind.rest_port if self.rest else behind.port
        address = f"{scheme}://admin:{PASSWORD}@localhost:{port}"
        if self.tls:
            address += f"?ca_cert={behind.certificate}"
        elif not self.rest:
            address += "?tls=off"
        return ["--upstream", address, "--record", str(self.traces[-1])]

    def stop(self):
        super().stop()
        self.behind.stop()

    def restart(self):
        super().stop()
        self.behind.restart()
        self.start()

    def kill(self):
        super().kill()
        self.behind.kill()

    def conforms(self):
        """Replays what was recorded against an empty database; prints where it differs."""
        well = True
        for trace in self.traces:
            command = [self.adb, "conform", str(trace), "--db", str(self.directory / "replayed")]
            done = subprocess.run(command, capture_output=True, text=True)
            well &= done.returncode == 0
            print("".join(f"       {line}\n" for line in done.stdout.splitlines()), end="")
            print(done.stderr, end="", flush=True)
        return well
