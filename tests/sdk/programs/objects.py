"""The SDK's wrappers of objects: Entities, Images, Blobs, BoundingBoxes, Polygons, Descriptors."""

import numpy as np
from aperturedb.Blobs import Blobs
from aperturedb.BoundingBoxes import BoundingBoxes
from aperturedb.Constraints import Constraints
from aperturedb.Descriptors import Descriptors
from aperturedb.Entities import Entities
from aperturedb.Images import Images
from aperturedb.Operations import Operations
from aperturedb.Polygons import Polygons
from aperturedb.Query import Query
from aperturedb.Sort import Order, Sort

from media import picture, pixels, vectors
from world import NEW, World, where


def people(world: World):
    for n in range(12):
        world.ask([
            {"AddEntity": {"_ref": 1, "class": "Person",
                           "properties": {"id": n, "age": 30 + 5 * n}}},
            {"AddImage": {"_ref": 2, "properties": {"id": n, "adb_image_width": 24,
                                                    "adb_image_height": 16}}},
            {"AddConnection": {"class": "Portrait", "src": 1, "dst": 2}},
        ], [picture(n)])


def program_entities(world: World):
    people(world)
    everybody = Entities.retrieve(world.db, spec=Query.spec(with_class="Person"))
    assert sorted(p["age"] for p in everybody) == [30 + 5 * n for n in range(12)]
    assert len(everybody.filter(lambda p: p["age"] < 50)) == 4
    old = Entities.retrieve(world.db, spec=Query.spec(
        with_class="Person", constraints=Constraints().greaterequal("age", 60)))
    assert [p["age"] >= 60 for p in old] == [True] * 6
    assert len(old.inspect()) == 6
    old.update_properties([{"decade": p["age"] // 10} for p in old])
    again = Entities.retrieve(world.db, spec=Query.spec(
        with_class="Person", constraints=Constraints().greaterequal("age", 60)))
    assert all(p["decade"] == p["age"] // 10 for p in again)
    ordered = Entities.retrieve(world.db, spec=Query.spec(
        with_class="Person", sort=Sort(key="age", order=Order.DESCENDING), limit=3,
        list=["age"]))
    assert [p["age"] for p in ordered] == [85, 80, 75]
    some = Entities.retrieve(world.db, spec=Query.spec(
        with_class="Person", constraints=Constraints().is_in("id", [1, 4, 99])))
    assert sorted(p["id"] for p in some) == [1, 4]


def program_what_is_connected(world: World):
    people(world)
    # From pictures: for entities of a class the SDK asks for objects of a class called `Entity`.
    portraits = Images.retrieve(world.db, Query.spec(
        constraints=Constraints().less("id", 2), list=["_uniqueid", "id"]))
    shown = portraits.get_connected_entities("Person")
    assert [len(somebody) for somebody in shown] == [1, 1]
    ages = [somebody[0]["age"] for somebody in shown]
    assert sorted(ages) == [30, 35], ages


def program_images(world: World):
    people(world)
    images = Images(world.db)
    images.search(constraints=Constraints().less("id", 5))
    assert images.total_results() == 5
    by_id = images.get_properties(["id"])
    for index, unique in enumerate(images.images_ids):
        n = by_id[unique]["id"]
        assert images.get_image_by_index(index) == picture(n)
        assert np.array_equal(images.get_np_image_by_index(index), pixels(picture(n)))
    assert "id" in images.get_props_names()

    images.search(constraints=Constraints(), limit=4)
    assert images.total_results() == 4
    images.search_by_property("id", [7, 3, 5])
    found = images.get_properties(["id"])
    assert [found[unique]["id"] for unique in images.images_ids] == [7, 3, 5]

    small = Operations().resize(12, 8)
    images.search(constraints=Constraints().equal("id", 2), operations=small)
    assert images.get_np_image_by_index(0).shape == (8, 12, 3)
    images.search(constraints=Constraints().equal("id", 2), format="jpg")
    retrieved = Images.retrieve(world.db, Query.spec(limit=3))
    assert isinstance(retrieved, Images) and len(retrieved) == 3


def program_operations(world: World):
    world.ask([{"AddImage": {"properties": {"id": 1}}}], [picture(1)])
    whole = pixels(picture(1))
    for operations, expected in [
        (Operations().crop(2, 3, 10, 5), whole[3:8, 2:12]),
        (Operations().flip(1), whole[:, ::-1]),
        (Operations().flip(0), whole[::-1]),
        (Operations().rotate(180, True), whole[::-1, ::-1]),
    ]:
        _, blobs = world.ask([{"FindImage": {
            "blobs": True, "as_format": "png", "operations": operations.operations_arr}}])
        assert np.array_equal(pixels(blobs[0]), expected), operations.operations_arr


def program_boxes_and_polygons_of_images(world: World):
    world.ask([
        {"AddImage": {"_ref": 1, "properties": {"adb_image_width": 24, "adb_image_height": 16}}},
        *[{"AddBoundingBox": {"image_ref": 1, "label": f"b{n}", "properties": {"n": n},
                              "rectangle": {"x": n, "y": 1, "width": 4, "height": 3}}}
          for n in range(4)],
        *[{"AddPolygon": {"image_ref": 1, "label": f"p{n}", "properties": {"ann_id": n},
                          "polygons": [[[n, 0], [n + 4, 0], [n + 4, 4], [n, 4]]]}}
          for n in [0, 1, 10]],
    ], [picture(1)])
    images = Images(world.db)
    images.search()
    boxes = images.get_bboxes_by_index(0)
    assert sorted(boxes["tags"]) == ["b0", "b1", "b2", "b3"]
    corners = dict(zip(boxes["tags"], boxes["bboxes"]))
    assert np.array_equal(corners["b2"], [(2, 1), (6, 1), (6, 4), (2, 4)])
    images.retrieve_polygons(0)
    shapes = images.images_polygons[images.images_ids[0]]
    assert sorted(shapes["tags"]) == ["p0", "p1", "p10"]

    found = BoundingBoxes.retrieve(world.db, Query.spec(list=["n"]))
    assert sorted(box["n"] for box in found) == [0, 1, 2, 3]

    polygons = Polygons.retrieve(world.db, Query.spec(list=["_uniqueid", "ann_id"]))
    assert len(polygons) == 3
    meeting = polygons.filter(lambda p: p["ann_id"] == 0)
    others = polygons.filter(lambda p: p["ann_id"] != 0)
    # 12 of the 20 squares of 0 and 1 together are in both.
    assert sorted(meeting.intersection(others, 0.59)) == [0, 1]
    assert meeting.intersection(others, 0.61) == []


def program_blobs(world: World):
    data = [bytes([n]) * (n + 1) for n in range(5)]
    world.ask([{"AddBlob": {"properties": {"n": n}}} for n in range(5)], data)
    blobs = Blobs.retrieve(world.db, Query.spec(list=["_uniqueid", "n"]))
    assert sorted(blob["n"] for blob in blobs) == list(range(5))
    assert all(blobs.get_blob(blob) == data[blob["n"]] for blob in blobs)


def program_descriptors(world: World):
    made = vectors(50, 12)
    world.utils.add_descriptorset("d", 12, "L2", "HNSW")
    world.ask([{"AddDescriptor": {"set": "d", "label": f"l{n % 5}", "properties": {"n": n}}}
               for n in range(50)], [vector.tobytes() for vector in made])
    descriptors = Descriptors(world.db)
    wanted = made[7] + 0.05 * made[9]
    descriptors.find_similar("d", wanted, 6, distances=True, blobs=True)
    exact = ((made - wanted) ** 2).sum(axis=1)
    nearest = np.argsort(exact)[:6]
    assert [d["n"] for d in descriptors] == nearest.tolist()
    assert np.allclose([d["_distance"] for d in descriptors], exact[nearest], rtol=1e-4)
    assert all(np.array_equal(d["vector"], made[d["n"]]) for d in descriptors)

    descriptors.find_similar("d", wanted, 6, constraints=Constraints().less("n", 5))
    found = [d["n"] for d in descriptors]
    assert found == [n for n in nearest.tolist() if n < 5], "the nearest first, then what fits"

    descriptors.find_similar_mmr("d", wanted, 4, 10)
    assert len(descriptors) == 4 and descriptors[0]["n"] == 7
