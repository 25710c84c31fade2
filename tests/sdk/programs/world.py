"""What every program here needs: a server that runs, connections to it, and a place for files."""

import contextlib
import http.server
import pathlib
import shutil
import tempfile
import threading

import aperturedb
from aperturedb.Connector import Connector
from aperturedb.ConnectorRest import ConnectorRest
from aperturedb.Utils import Utils

from servers import PASSWORD

SDK = tuple(int(part) for part in aperturedb.__version__.split("."))
# 0.5 writes constraints as arrays and keeps `limit` beside `results`.
NEW = SDK >= (0, 5)


class World:
    """A server, a way to reach it, and an empty database before each program."""

    def __init__(self, served, transport, scratch, short=False):
        self.served, self.transport, self.scratch = served, transport, pathlib.Path(scratch)
        self.short = short
        self.db = self.connect()
        self.utils = Utils(self.db)

    def connect(self, user="admin", password=PASSWORD, **more):
        """A connection of its own, in the SDK's sense: nobody is asked yet."""
        tls = self.transport in ("tls", "rest-tls")
        how = dict(host="localhost" if tls else "127.0.0.1", user=user, password=password,
                   use_ssl=tls, ca_cert=self.served.certificate if tls else None, **more)
        if self.transport.startswith("rest"):
            return ConnectorRest(port=self.served.rest_port, **how)
        return Connector(port=self.served.port, **how)

    def ask(self, commands, blobs=(), db=None):
        """The answers, which must all be good, and the blobs."""
        answers, out = (db or self.db).query(commands, list(blobs))
        assert isinstance(answers, list), answers
        for answer in answers:
            for name, body in answer.items():
                assert body["status"] == 0, (name, body)
        return [next(iter(answer.values())) for answer in answers], out

    def refused(self, commands, blobs=(), db=None):
        """What is said of a request that is refused."""
        answer, _ = (db or self.db).query(commands, list(blobs))
        assert isinstance(answer, dict) and answer["status"] < 0, answer
        return answer["info"]

    def count(self, kind, **more):
        """How many there are of a kind, such as `Image`."""
        command = {"results": {"count": True}, **more}
        if kind == "Descriptor" and "set" not in more:
            return self.utils.count_entities("_Descriptor")
        (answer,), _ = self.ask([{f"Find{kind}": command}])
        return answer["count"]

    def empty(self):
        """Takes everything away: objects, indexes, and the folder for files."""
        assert self.utils.remove_all_indexes()
        assert self.utils.remove_all_objects()
        self.dir = self.scratch / "files"
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir()

    @contextlib.contextmanager
    def another_server(self, *options):
        """A server of its own for one program, in a world of the same transport."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as directory:
            with self.served.another(directory, *options) as served:
                yield World(served, self.transport, directory, self.short)

    @contextlib.contextmanager
    def site(self, files):
        """A web site on this machine; `files` are its pages, by path."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


def where(name, operator, value):
    """One constraint in the SDK's own dialect, for queries that are written by hand."""
    if NEW:
        value = {"array": value} if isinstance(value, list) else value
        return [f"${name}", operator, value]
    return {name: [operator, value]}


def refuses(work, *told):
    """Whether something raises, and the words in which it does."""
    try:
        work()
    except Exception as error:  # the SDK raises plain ones
        said = str(error)
        assert all(words in said for words in told), said
        return said
    raise AssertionError("it did not raise")
