"""What our program brings in through the server, the SDK reads."""

import json
import os
import pathlib
import subprocess

import numpy as np

from media import vectors
from world import PASSWORD, World, where

COOKBOOK = pathlib.Path(__file__).resolve().parents[3] / "examples" / "data" / "cookbook"


def configured(world: World):
    """The environment of somebody who has the SDK configured, and nothing of ours."""
    served = world.served
    tls = served.certificate is not None
    configuration = {"host": "localhost" if tls else "127.0.0.1", "port": served.port,
                     "username": "admin", "password": PASSWORD, "use_ssl": tls,
                     "ca_cert": served.certificate}
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("APERTUREDB_", "ADB_DB"))}
    return {**environment, "APERTUREDB_JSON": json.dumps(configuration)}


def ingest(world: World, rows):
    path = world.dir / "dishes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [world.served.adb, "ingest", "from-json", str(path), "--model",
               str(COOKBOOK / "dish.model.json"), "--no-embedder"]
    if world.served.recorded:
        # Of requests that overlap, a trace does not tell which one came first.
        command += ["--writers", "1"]
    done = subprocess.run(command, env=configured(world), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program_dishes_of_a_model_document(world: World):
    rows = json.loads((COOKBOOK / "dishes.json").read_text(encoding="utf-8"))
    made = vectors(len(rows), 512)
    pictures = {}
    (world.dir / "images").mkdir()
    for file in (COOKBOOK / "images").iterdir():
        (world.dir / "images" / file.name).write_bytes(file.read_bytes())
    for n, row in enumerate(rows):
        row["look"] = made[n].tolist()
        pictures[row["dish_id"]] = (world.dir / row["url"]).read_bytes()
    assert f"{len(rows)} rows read = {len(rows)} added" in ingest(world, rows)
    assert "nothing to do" in ingest(world, rows)

    assert world.utils.count_images() == len(rows)
    assert world.utils.get_descriptorset_list() != []
    assert world.utils.get_indexed_props("_Image") != []
    (found,), blobs = world.ask([{"FindImage": {
        "blobs": True, "results": {"all_properties": True}}}])
    for dish in found["entities"]:
        row = next(row for row in rows if row["dish_id"] == dish["dish_id"])
        assert blobs[dish["_blob_index"]] == pictures[dish["dish_id"]]
        for key in ["name", "caption", "cuisine"]:
            assert dish.get(key) == row.get(key), (key, dish, row)
        assert dish["user_type"] == "Dish"

    (near, dishes), _ = world.ask([
        {"FindDescriptor": {"set": world.utils.get_descriptorset_list()[0], "k_neighbors": 1,
                            "_ref": 1}},
        {"FindImage": {"is_connected_to": {"ref": 1}, "results": {"list": ["dish_id"]}}},
    ], [made[5].astype(np.float32).tobytes()])
    assert dishes["entities"] == [{"dish_id": rows[5]["dish_id"]}]
    row = next(row for row in rows if len(row.get("ingredients") or []) > 1)
    (_, ingredients), _ = world.ask([
        {"FindImage": {"_ref": 1, "constraints": where("dish_id", "==", row["dish_id"])}},
        {"FindEntity": {"is_connected_to": {"ref": 1, "connection_class": "HasIngredient"},
                        "results": {"count": True}}}])
    assert ingredients["count"] == len(row["ingredients"]), (ingredients, row)
