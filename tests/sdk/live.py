"""The Python half of a test of tests/tests/sdk.rs: fills a server with the SDK's data models, or
tells what it finds there. Which server, the SDK's own environment says (`APERTUREDB_JSON`)."""

import json
import pathlib
import sys

import numpy as np
from aperturedb.CommonLibrary import create_connector, execute_query

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "sdk"))
import datamodels


def fill(db):
    for commands, blobs in datamodels.requests().values():
        result, answers, _ = execute_query(db, commands, blobs, success_statuses=[0, 2])
        assert result == 0, answers


def read(db):
    """Every dish: its name, its pixels, its vector, and its ingredients by field."""
    result, answers, blobs = execute_query(db, [
        {"FindImage": {"_ref": 1, "blobs": True, "uniqueids": True,
                       "results": {"list": ["id", "name"]}}}], [])
    assert result == 0, answers
    dishes = {}
    for dish in answers[0]["FindImage"]["entities"]:
        result, more, vectors = execute_query(db, [
            {"FindImage": {"_ref": 1, "constraints": same("_uniqueid", dish["_uniqueid"])}},
            {"FindDescriptor": {"set": "looks", "is_connected_to": {"ref": 1}, "blobs": True}},
            {"FindEntity": {"_ref": 2, "with_class": "Ingredient", "uniqueids": True,
                            "is_connected_to": {"ref": 1}, "results": {"list": ["id"]}}},
            {"FindConnection": {"with_class": "Ingredient", "src": 1,
                                "results": {"list": ["source_field", "_dst"]}}}], [])
        assert result == 0, more
        names = {e["_uniqueid"]: e["id"] for e in more[2]["FindEntity"].get("entities", [])}
        edges = more[3]["FindConnection"].get("connections", [])
        dishes[dish["id"]] = {
            "name": dish["name"],
            "picture": bytes(blobs[dish["_blob_index"]]).hex(),
            "vectors": [np.frombuffer(v, dtype=np.float32).tolist() for v in vectors],
            "ingredients": sorted([e["source_field"], names[e["_dst"]]] for e in edges),
        }
    print(json.dumps(dishes))


def same(name, value):
    import aperturedb
    new = aperturedb.__version__ >= "0.5"
    return [f"${name}", "==", value] if new else {name: ["==", value]}


if __name__ == "__main__":
    {"fill": fill, "read": read}[sys.argv[1]](create_connector())
