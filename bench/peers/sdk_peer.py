"""The Python SDK's side of `bench/overhead.sh` and `bench/server.sh`: its CSV loaders, through
ParallelLoader, into a client that answers at once or into a server."""

import argparse
import json
import os
import time

# Before the SDK is imported: it writes a log into the working directory otherwise.
os.environ["ADB_LOG_FILE"] = ""
os.environ["LOG_CONSOLE_LEVEL"] = "ERROR"
os.environ["TQDM_DISABLE"] = "1"

import aperturedb
from aperturedb.Connector import Connector
from aperturedb.EntityDataCSV import EntityDataCSV
from aperturedb.ImageDataCSV import ImageDataCSV
from aperturedb.ParallelLoader import ParallelLoader


class Nowhere:
    """A client whose database takes everything; requests become bytes, as the SDK's client makes
    them, but for the message around them."""

    config = "nowhere"

    def query(self, commands, blobs=[]):
        json.dumps(commands, default=str)
        return [{name: {"status": 0}} for command in commands for name in command], []

    def clone(self):
        return self

    def last_query_ok(self):
        return True

    def get_last_query_time(self):
        return 0.0


class Loader(ParallelLoader):
    """ParallelLoader, which looks once a second whether it has come to its end: the time of the last
    batch is taken instead."""

    def do_batch(self, *arguments):
        super().do_batch(*arguments)
        with self.error_counter_lock:
            self.last = time.perf_counter()


class Unindexed(Loader):
    """Without a database there are no indexes to ask for."""

    def query_setup(self, generator):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["versions", "nowhere", "server"])
    parser.add_argument("--data")
    parser.add_argument("--file")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--check-image", action="store_true", help="which is the SDK's default")
    parser.add_argument("--port", type=int)
    parser.add_argument("--case")
    options = parser.parse_args()
    if options.command == "versions":
        print(json.dumps({"versions": {"aperturedb": aperturedb.__version__}, "pools": []}))
        return
    if options.command == "nowhere":
        loader = Unindexed(Nowhere())
    else:
        loader = Loader(Connector("127.0.0.1", options.port, user="admin",
                                  password=os.environ["ADB_ADMIN_PASSWORD"], use_ssl=False))
    kind = os.path.basename(options.file).split(".")[0]
    started, before = time.perf_counter(), time.process_time()
    if kind == "photos":
        data = ImageDataCSV(options.file, check_image=options.check_image,
                            blobs_relative_to_csv=True)
    else:
        data = EntityDataCSV(options.file)
    loader.ingest(data, batchsize=options.batch, numthreads=options.threads)
    # The second in which the loader sleeps takes no processor.
    seconds, processors = loader.last - started, time.process_time() - before
    rows = len(data)
    assert loader.error_counter == 0 and loader.get_succeeded_queries() == rows, "rows failed"
    assert loader.get_objects_existed() == 0, "rows were there already"
    case = f"{options.case}, batch {options.batch}"
    for unit, value in (("rows/s", rows / seconds),
                        ("CPU-s for 1,000 rows", 1000 * processors / rows)):
        print(json.dumps({"case": case, "unit": unit, "value": value}))


main()
