"""Loaders that look before they write: they go by what Add, Find, Update and Delete count."""

from aperturedb.EntityUpdateDataCSV import SingleEntityUpdateDataCSV
from aperturedb.ImageDataCSV import (ImageDataCSV, ImageForceNewestDataCSV, ImageSparseAddDataCSV,
                                     ImageUpdateDataCSV)
from aperturedb.ParallelQuerySet import ParallelQuerySet

from media import picture, table
from world import World


def run(world: World, data, batch=5, threads=1):
    querier = ParallelQuerySet(world.db)
    querier.query(data, batchsize=batch, numthreads=threads, stats=False)
    assert querier.error_counter == 0


def ages(world: World):
    (answer,), _ = world.ask([{"FindEntity": {
        "with_class": "Person", "results": {"list": ["id", "age"]}}}])
    return {entity["id"]: entity["age"] for entity in answer["entities"]}


class Persons(SingleEntityUpdateDataCSV):
    def __init__(self, filename, **more):
        super().__init__("Person", filename, **more)


def program_entities_are_added_or_updated(world: World):
    def rows(name, version, age, count):
        return table(world.dir / name, [
            {"EntityClass": "Person", "id": n, "age": age + n, "version": version,
             "constraint_id": n, "updateif_<version": version} for n in range(count)])

    run(world, Persons(rows("first.csv", 1, 20, 12)))
    assert ages(world) == {n: 20 + n for n in range(12)}
    run(world, Persons(rows("older.csv", 1, 90, 12)))
    assert ages(world) == {n: 20 + n for n in range(12)}, "not newer: nothing changes"
    run(world, Persons(rows("newer.csv", 2, 50, 15)))
    assert ages(world) == {n: 50 + n for n in range(15)}


def images(world: World, name, version, shift, count, more=None):
    for n in range(count):
        (world.dir / f"{n + shift}.png").write_bytes(picture(n + shift))
    return table(world.dir / name, [
        {"filename": f"{n + shift}.png", "id": n, "version": version, "constraint_id": n,
         "updateif_<version": version, **(more or {})} for n in range(count)])


def stored(world: World):
    """Version and bytes of each picture."""
    (answer,), blobs = world.ask([{"FindImage": {
        "blobs": True, "results": {"list": ["id", "version"]}}}])
    return {e["id"]: (e["version"], blobs[e["_blob_index"]]) for e in answer.get("entities", [])}


def program_images_are_added_or_updated(world: World):
    run(world, ImageUpdateDataCSV(images(world, "a.csv", 1, 0, 6), blobs_relative_to_csv=True))
    assert stored(world) == {n: (1, picture(n)) for n in range(6)}
    run(world, ImageUpdateDataCSV(images(world, "b.csv", 2, 100, 8), blobs_relative_to_csv=True))
    kept = {n: (2, picture(n if n < 6 else n + 100)) for n in range(8)}
    assert stored(world) == kept, "pixels of a stored image stay"


def program_images_are_replaced(world: World):
    sha = {"gen_blobsha1_sha": "", "updateif_blobsha1_sha": ""}
    load = lambda *how: ImageForceNewestDataCSV(images(world, *how), blobs_relative_to_csv=True)
    run(world, load("a.csv", 1, 0, 6, sha))
    assert stored(world) == {n: (1, picture(n)) for n in range(6)}
    run(world, load("b.csv", 2, 0, 6, sha))
    assert stored(world) == {n: (2, picture(n)) for n in range(6)}, "the same pixels: updated"
    run(world, load("c.csv", 3, 100, 7, sha))
    assert stored(world) == {n: (3, picture(n + 100)) for n in range(7)}, "others: replaced"


def program_images_that_are_missing_are_sent(world: World):
    plain = lambda name, count: table(world.dir / name, [
        {"filename": f"{n}.png", "id": n, "constraint_id": n, "version": 1} for n in range(count)])
    for n in range(10):
        (world.dir / f"{n}.png").write_bytes(picture(n))
    for count in [4, 10]:
        run(world, ImageSparseAddDataCSV(plain("a.csv", count), blobs_relative_to_csv=True))
        assert stored(world) == {n: (1, picture(n)) for n in range(count)}

