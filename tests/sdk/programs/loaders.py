"""Every CSV loader, through ParallelLoader, in batches and with threads: all rows go in, what is
there afterwards is what stood in the file, and a second run adds nothing."""

import datetime
import json

import numpy as np
from aperturedb.BBoxDataCSV import BBoxDataCSV
from aperturedb.BlobDataCSV import BlobDataCSV
from aperturedb.ConnectionDataCSV import ConnectionDataCSV
from aperturedb.DescriptorDataCSV import DescriptorDataCSV
from aperturedb.DescriptorSetDataCSV import DescriptorSetDataCSV
from aperturedb.EntityDataCSV import EntityDataCSV
from aperturedb.ImageDataCSV import ImageDataCSV
from aperturedb.ParallelLoader import ParallelLoader
from aperturedb.PolygonDataCSV import PolygonDataCSV
from aperturedb.VideoDataCSV import VideoDataCSV

from media import picture, table, vectors, video
from world import World, where

# Batch size and threads. Each ingest of the SDK's takes a second at least; the gate has one way.
WAYS = [(7, 4), (1, 1), (100, 2)]


def ways(world: World):
    return WAYS[:1] if world.short else WAYS


def ingest(world: World, data, batch=7, threads=4):
    """Brings rows in; gives the loader, whose counts add up."""
    loader = ParallelLoader(world.db)
    loader.ingest(data, batchsize=batch, numthreads=threads, stats=False)
    assert loader.error_counter == 0
    return loader


def ingest_twice(world: World, data, count, batch=7, threads=4):
    """A second run finds everything there; `count` says how many there are."""
    loader = ingest(world, data, batch, threads)
    assert loader.get_succeeded_queries() == len(data), loader.get_succeeded_queries()
    assert count() == len(data)
    again = ingest(world, data, batch, threads)
    assert again.get_objects_existed() == len(data), again.get_objects_existed()
    assert count() == len(data)


def found(world: World, kind, keys, **more):
    """All objects of a kind with these properties, by the first of them."""
    (answer,), blobs = world.ask([{f"Find{kind}": {"results": {"list": keys}, **more}}])
    rows = {entity[keys[0]]: entity for entity in answer.get("entities", answer.get("connections", []))}
    assert len(rows) == answer["returned"], answer
    return rows, blobs


def program_entities(world: World):
    rows = [{"EntityClass": "Person", "id": n, "name": f"näme {n} \"$\"", "height": n / 3,
             "likes_rice": n % 2 == 0, "date:born": f"19{n % 90 + 10}-02-03T04:05:06",
             "constraint_id": n} for n in range(60)]
    path = table(world.dir / "persons.csv", rows)
    for batch, threads in ways(world):
        world.utils.remove_entities("Person")
        data = EntityDataCSV(path)
        ingest_twice(world, data, lambda: world.utils.count_entities("Person"), batch, threads)
        people, _ = found(world, "Entity", ["id", "name", "height", "likes_rice", "born"],
                          with_class="Person")
        for row in rows:
            person = people[row["id"]]
            for key in ["name", "height", "likes_rice"]:
                assert person[key] == row[key], (key, person[key], row[key])
            born = person["born"]["_date"]
            assert datetime.datetime.fromisoformat(born).replace(tzinfo=None).isoformat() == \
                row["date:born"], born
    assert world.utils.get_indexed_props("Person") == ["id"]


def program_images(world: World):
    count = 30
    files = {n: picture(n, form="JPEG" if n % 3 else "PNG") for n in range(count)}
    for n, data in files.items():
        (world.dir / f"{n}.img").write_bytes(data)
    rows = [{"filename": f"{n}.img", "id": n, "label": f"l{n % 4}", "constraint_id": n}
            for n in range(count)]
    path = table(world.dir / "images.csv", rows)
    for batch, threads in ways(world):
        world.ask([{"DeleteImage": {}}])
        data = ImageDataCSV(path, blobs_relative_to_csv=True)
        ingest_twice(world, data, world.utils.count_images, batch, threads)
        images, blobs = found(world, "Image", ["id", "label"], blobs=True)
        for n, entity in images.items():
            assert entity["label"] == f"l{n % 4}"
            assert blobs[entity["_blob_index"]] == files[n]


def program_videos_and_blobs(world: World):
    clip = video(world.dir / "a.avi")
    rows = [{"filename": "a.avi", "id": n, "constraint_id": n} for n in range(5)]
    data = VideoDataCSV(table(world.dir / "videos.csv", rows), blobs_relative_to_csv=True)
    ingest_twice(world, data, lambda: world.utils.count_entities("_Video"))
    videos, blobs = found(world, "Video", ["id"], blobs=True)
    assert sorted(videos) == list(range(5)) and all(blob == clip for blob in blobs)

    numbers = [np.arange(n + 1, dtype=np.float64) * 1.1 for n in range(20)]
    for n, array in enumerate(numbers):
        (world.dir / f"{n}.blob").write_bytes(array.tobytes())
    rows = [{"filename": f"{n}.blob", "id": n, "license": n % 3, "constraint_id": n}
            for n in range(20)]
    data = BlobDataCSV(table(world.dir / "blobs.csv", rows), blobs_relative_to_csv=True)
    ingest_twice(world, data, lambda: world.utils.count_entities("_Blob"))
    blobs_found, blobs = found(world, "Blob", ["id", "license"], blobs=True)
    for n, entity in blobs_found.items():
        array = np.frombuffer(blobs[entity["_blob_index"]])
        assert entity["license"] == n % 3 and np.array_equal(array, numbers[n])


def some_images(world: World, count):
    for n in range(count):
        (world.dir / f"{n}.png").write_bytes(picture(n))
    rows = [{"filename": f"{n}.png", "id": n, "constraint_id": n} for n in range(count)]
    ingest(world, ImageDataCSV(table(world.dir / "images.csv", rows), blobs_relative_to_csv=True))


def program_boxes_and_polygons(world: World):
    some_images(world, 6)
    rows = [{"id": n % 6, "x_pos": n % 5, "y_pos": n % 3, "width": 3 + n % 4, "height": 2,
             "box_id": n, "confidence": n / 7, "_label": f"l{n % 3}", "constraint_box_id": n}
            for n in range(24)]
    data = BBoxDataCSV(table(world.dir / "boxes.csv", rows))
    ingest_twice(world, data, world.utils.count_bboxes)
    boxes, _ = found(world, "BoundingBox", ["box_id", "confidence"], coordinates=True, labels=True)
    for row in rows:
        box = boxes[row["box_id"]]
        assert box["confidence"] == row["confidence"] and box["_label"] == row["_label"]
        assert box["_coordinates"] == {"x": row["x_pos"], "y": row["y_pos"],
                                       "width": row["width"], "height": row["height"]}
    (images, grouped), _ = world.ask([
        {"FindImage": {"_ref": 1, "uniqueids": True, "results": {"list": ["id"]}}},
        {"FindBoundingBox": {"is_connected_to": {"ref": 1}, "group_by_source": True,
                             "results": {"list": ["box_id"]}}}])
    for image in images["entities"]:
        inside = [box["box_id"] for box in grouped["entities"][image["_uniqueid"]]]
        assert sorted(inside) == [n for n in range(24) if n % 6 == image["id"]]

    shapes = [[[[0, 0], [5, 0], [5, n + 1]]] for n in range(10)]
    rows = [{"id": n % 6, "polygon_id": n, "constraint_polygon_id": n, "_label": "leaf",
             "polygons": json.dumps(shapes[n])} for n in range(10)]
    data = PolygonDataCSV(table(world.dir / "polygons.csv", rows))
    ingest_twice(world, data, lambda: world.utils.count_entities("_Polygon"))
    polygons, _ = found(world, "Polygon", ["polygon_id"], vertices=True, labels=True, areas=True)
    for n, polygon in polygons.items():
        assert np.allclose(polygon["_vertices"], shapes[n]) and polygon["_label"] == "leaf"
        assert abs(polygon["_area"] - 2.5 * (n + 1)) < 1e-6


def program_connections(world: World):
    some_images(world, 5)
    rows = [{"EntityClass": "Person", "id": n, "constraint_id": n} for n in range(5)]
    ingest(world, EntityDataCSV(table(world.dir / "persons.csv", rows)))
    rows = [{"ConnectionClass": "has_image", "Person@id": n % 5, "_Image@id": n // 5,
             "edge_id": n, "weight": n / 3, "constraint_edge_id": n} for n in range(25)]
    data = ConnectionDataCSV(table(world.dir / "edges.csv", rows))
    count = lambda: world.utils.count_connections("has_image")
    for batch, threads in ways(world):
        world.utils.remove_connections("has_image")
        ingest_twice(world, data, count, batch, threads)
    edges, _ = found(world, "Connection", ["edge_id", "weight"], with_class="has_image")
    assert all(edges[row["edge_id"]]["weight"] == row["weight"] for row in rows)
    (_, images), _ = world.ask([
        {"FindEntity": {"_ref": 1, "with_class": "Person", "constraints": where("id", "==", 3)}},
        {"FindImage": {"is_connected_to": {"ref": 1, "connection_class": "has_image"},
                       "results": {"list": ["id"]}}}])
    assert sorted(image["id"] for image in images["entities"]) == list(range(5))


def program_descriptors(world: World):
    rows = [{"name": "a", "dimensions": 16, "engine": "HNSW", "metric": "L2"},
            {"name": "b", "dimensions": 8, "engine": "['FaissFlat', 'HNSW']",
             "metric": "['CS', 'L2']"}]
    path = table(world.dir / "sets.csv", rows)
    for _ in range(2):
        ingest(world, DescriptorSetDataCSV(path), batch=1, threads=1)
    assert world.utils.get_descriptorset_list() == ["a", "b"]

    made = vectors(40, 16)
    np.save(world.dir / "a.npy", made)
    rows = [{"filename": "a.npy", "index": n, "set": "a", "label": f"l{n % 4}", "id": n,
             "constraint_id": n} for n in range(40)]
    data = DescriptorDataCSV(table(world.dir / "vectors.csv", rows), blobs_relative_to_csv=True)
    for batch, threads in ways(world):
        world.ask([{"DeleteDescriptor": {"set": "a"}}])
        ingest_twice(world, data, lambda: world.utils.count_entities("_Descriptor"), batch, threads)
    assert world.utils.count_descriptors_in_set("a") == 40
    kept, blobs = found(world, "Descriptor", ["id", "label"], set="a", blobs=True)
    for n, entity in kept.items():
        vector = np.frombuffer(blobs[entity["_blob_index"]], dtype=np.float32)
        assert np.array_equal(vector, made[n]) and entity["label"] == f"l{n % 4}"


def program_rows_that_fail_cost_their_batch(world: World):
    """A box for a picture that is there twice is refused, as is its batch; the others go in."""
    some_images(world, 3)
    world.ask([{"AddImage": {"properties": {"id": 1}}}], [picture(9)])
    rows = [{"id": n, "x_pos": 0, "y_pos": 0, "width": 2, "height": 2, "box_id": n,
             "constraint_box_id": n} for n in range(3)]
    loader = ParallelLoader(world.db)
    loader.ingest(BBoxDataCSV(table(world.dir / "boxes.csv", rows)), batchsize=1, numthreads=1,
                  stats=False)
    assert world.utils.count_bboxes() == 2
    assert loader.get_succeeded_queries() == 2
