"""Faces in CelebA's layout: the program of examples/celeba, from a made-up data set to searches."""

import shutil
import subprocess

from common import Fail
from report import Ratio
from session import tail, words


def celeba(session, sizes):
    """Faces as CelebA has them, with 40 attributes and two vectors of 512 (FaceNet's and CLIP's in
    CelebA's place: made up, near each other where the person is the same): a data set that
    `celeba make-sample` writes, brought into a new database; then a hundred searches for each of
    four filters on the picture's attributes, beside an exact scan of the same vectors."""
    rows, = sizes
    data = session.work / f"celeba-{rows}"
    if not data.is_dir():
        print(f"making {data} (once)", flush=True)
        shutil.rmtree(data.with_suffix(".part"), ignore_errors=True)
        done = subprocess.run(words([session.speed, "make-sample", "--rows", rows, "--width", 60, data]),
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Fail(f"`celeba make-sample` failed: {tail(done.stderr)}")
    for _ in session.rounds(session.options.rounds or 1):
        db = session.new("celeba.adb")
        if session.adb("ingest", "--data", data, "--db", db, "--figures", "--json"):
            session.adb("measure", "--data", data, "--db", db, "--json")
        session.remove("celeba.adb")
    return [
        Ratio("time of a row, last tenth / first tenth", "≤ 1.1",
              lambda pick: pick("adb", "ingest, last tenth", "µs/row")
              / pick("adb", "ingest, first tenth", "µs/row")),
    ]
