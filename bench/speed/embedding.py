"""Embedding: the same graphs, files, threads and batches on all sides."""

import os
import subprocess
import sys

from common import Fail, cache_root
from install import BENCH
from report import Ratio
from session import tail, words

BATCHES = (1, 8, 32)
BUNDLE = "random-clip-vit-b-32"


def embed(session, sizes):
    """Pictures and texts to vectors: plain Python, fastembed, adb; and what the cores allow.

    The embedder is CLIP ViT-B/32 with random weights, which costs what the trained one costs.
    """
    files, = sizes
    bundle, data = prepared(session, files)
    fastembed = built(session)
    cores = session.machine["cores"]
    # Whole batches of 32, and long enough for the last, half-empty one to make no difference.
    repeat = session.options.repeat
    ours = ("--bundle", bundle, "--data", data)
    if not session.options.keep_tuning:
        session.adb(*ours, "tune", "--each", 1500 if session.options.full else 500)
    for _ in session.rounds(session.options.rounds or (5 if session.options.full else 1)):
        for what in ("images", "texts", "captions"):
            for batch in BATCHES if what != "captions" else (8,):
                passes = repeat if batch > 1 else max(repeat // 2, 1)
                theirs = ("--bundle", bundle, "--threads", cores, "--batch", batch,
                          "--repeat", passes)
                session.peer("onnxruntime", what, *theirs, data=data, name="python")
                if fastembed:
                    session.side("fastembed", [fastembed, what, bundle, data, cores, batch, passes])
                session.adb(*ours, "--batch", batch, "--repeat", passes, *command(what))
            session.adb(*ours, "--repeat", repeat, *command(what))
        session.adb(*ours, "--repeat", repeat, "list")
        session.adb(*ours, "--repeat", repeat, "ceiling", "--turns", 1)

    def over(side, what, batch, ours="tuned", unit="s"):
        of = "images" if what == "images" else "texts"
        return lambda pick: (pick("adb", f"{what}, {ours}", f"{of}/{unit}")
                             / pick(side, f"{what}, batch {batch}", f"{of}/{unit}"))

    def share(case, unit):
        return lambda pick: pick("adb", case, unit)

    whole = "pipeline beside its parts, tuned"
    stored = "pipeline into the engine beside its parts, tuned"
    ratios = [
        Ratio("images: share of the ceiling", "≥ 0.98", share(whole, "of the ceiling")),
        Ratio("the same, stored by the engine", "≥ 0.98", share(stored, "of the ceiling")),
        Ratio("the same by the processors' time", "≥ 0.98", share(whole, "of the ceiling, in CPU-s")),
        Ratio("images: adb / one picture a pass in Python", "≥ 2", over("python", "images", 1)),
        Ratio("the same by the processors' time", "", over("python", "images", 1, unit="CPU-s")),
    ]
    for what in ("images", "texts", "captions"):
        for side in ("python", "fastembed"):
            for batch in BATCHES if what != "captions" else (8,):
                ratios.append(Ratio(f"{what}: adb / {side}, both batch {batch}", "",
                                    over(side, what, batch, f"batch {batch}")))
        ratios.append(Ratio(f"{what}: adb tuned / fastembed at 32" if what != "captions" else
                            "captions: adb tuned / fastembed at 8", "",
                            over("fastembed", what, 32 if what != "captions" else 8)))
    return ratios


def command(what):
    return ("images",) if what == "images" else ("texts", "--file", f"{what}.txt")


def prepared(session, files):
    """The bundle and the files, made once."""
    models = BENCH.parent / "tools" / "models"
    bundle = cache_root() / "embedders" / BUNDLE
    data = session.data / f"embed-{files}"
    runs = [[sys.executable, str(models / "random_clip.py")],
            [sys.executable, str(models / "onnxruntime.py")]]
    if not (data / "captions.txt").is_file():
        runs.append(words([sys.executable, BENCH / "peers" / "onnxruntime_peer.py", "data",
                           "--data", data, "--count", files]))
    for run in runs:
        done = subprocess.run(run, capture_output=True, text=True)
        if done.returncode != 0:
            raise Fail(f"{' '.join(run)}: {tail(done.stderr)}")
    found = subprocess.run([sys.executable, str(models / "onnxruntime.py"), "--path"],
                           capture_output=True, text=True)
    # All sides compute with one library.
    os.environ.setdefault("ORT_DYLIB_PATH", found.stdout.strip())
    return bundle, data


def built(session):
    """fastembed's program; without it the others go on."""
    if session.options.bin and (session.options.bin / "fastembed-peer").exists():
        return session.options.bin.resolve() / "fastembed-peer"
    if session.options.only and "fastembed" not in session.options.only:
        return None
    folder = BENCH / "peers" / "fastembed"
    target = (BENCH.parent / os.environ.get("CARGO_TARGET_DIR", "target")).resolve() / "peer"
    print("building fastembed's program (minutes, once)", flush=True)
    done = subprocess.run(["cargo", "build", "--release", "--locked", "--manifest-path",
                           str(folder / "Cargo.toml"), "--target-dir", str(target)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        session.fail("fastembed", f"its program could not be built: {tail(done.stderr)}")
        return None
    return target / "release" / "fastembed-peer"
