"""The SDK's side of `bench/server.sh`: rows through ParallelLoader, or round trips. One line of JSON."""

import argparse
import json
import os
import time

os.environ["ADB_LOG_FILE"] = ""  # the SDK would write log files beside us

from aperturedb.Connector import Connector
from aperturedb.EntityDataCSV import EntityDataCSV
from aperturedb.ParallelLoader import ParallelLoader


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--rows")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--trips", type=int)
    options = parser.parse_args()
    db = Connector(host="127.0.0.1", port=options.port, user="admin", password=options.password,
                   use_ssl=False)
    if options.trips:
        times = []
        query = [{"GetStatus": {}}]
        db.query(query)
        for _ in range(options.trips):
            start = time.perf_counter()
            db.query(query)
            times.append(time.perf_counter() - start)
        times.sort()
        at = lambda share: times[round(share * (len(times) - 1))] * 1e6
        print(json.dumps({"p50_us": at(0.5), "p99_us": at(0.99), "count": options.trips}))
        return
    # Reading the file counts, as it does for the other side.
    start = time.perf_counter()
    loader = ParallelLoader(db)
    loader.ingest(EntityDataCSV(options.rows), batchsize=options.batch,
                  numthreads=options.threads, stats=False)
    seconds = time.perf_counter() - start
    assert loader.error_counter == 0
    print(json.dumps({"rows": loader.get_succeeded_queries(), "seconds": seconds}))


if __name__ == "__main__":
    main()
