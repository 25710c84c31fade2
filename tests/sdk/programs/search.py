"""Nearest neighbours, and from a text's vector to pictures, as the SDK's documentation does it."""

import json

import numpy as np
from aperturedb.CommonLibrary import execute_query
from aperturedb.Constraints import Constraints
from aperturedb.Images import Images
from aperturedb.ParallelQuery import ParallelQuery
from aperturedb.Subscriptable import Subscriptable

from media import picture, vectors
from world import World, where

COUNT, DIMENSIONS = 40, 32


def fill(world: World):
    """Pictures with a vector each, and captions in the same space."""
    made = vectors(COUNT, DIMENSIONS)
    world.ask([{"AddDescriptorSet": {"name": "clip", "dimensions": DIMENSIONS, "metric": ["CS"],
                                     "engine": ["HNSW"]}}])
    for n in range(COUNT):
        world.ask([
            {"AddImage": {"_ref": 1, "properties": {"id": n, "cuisine": f"c{n % 3}"}}},
            {"AddDescriptor": {"_ref": 2, "set": "clip", "label": f"c{n % 3}",
                               "properties": {"id": n}, "connect": {"ref": 1}}},
            {"AddEntity": {"class": "Caption", "properties": {"text": f"dish {n}"},
                           "connect": {"ref": 1, "class": "CaptionOf", "direction": "out"}}},
        ], [picture(n), made[n].tobytes()])
    return made


def program_from_a_text_to_pictures(world: World):
    made = fill(world)
    text = (made[5] + made[6]).astype(np.float32)
    best = np.argsort(-(made @ text))[:8].tolist()
    query = [
        {"FindDescriptor": {"set": "clip", "k_neighbors": 8, "distances": True, "_ref": 1,
                            "uniqueids": True, "results": {"list": ["id"]}}},
        {"FindImage": {"_ref": 2, "is_connected_to": {"ref": 1}, "group_by_source": True,
                       "uniqueids": True, "blobs": True, "results": {"list": ["id", "cuisine"]}}},
        {"FindEntity": {"with_class": "Caption", "is_connected_to": {"ref": 2},
                        "results": {"list": ["text"]}}}]
    result, answers, blobs = execute_query(world.db, query, [text.tobytes()])
    assert result == 0, answers
    near, found, captions = (next(iter(answer.values())) for answer in answers)
    assert [hit["id"] for hit in near["entities"]] == best
    score = made @ text / np.linalg.norm(text)
    assert np.allclose([hit["_distance"] for hit in near["entities"]], score[best], atol=1e-5)
    for hit in near["entities"]:
        image, = found["entities"][hit["_uniqueid"]]
        assert image["id"] == hit["id"] and image["cuisine"] == f"c{hit['id'] % 3}"
        assert blobs[image["_blob_index"]] == picture(image["id"])
    assert {c["text"] for c in captions["entities"]} == {f"dish {n}" for n in best}


def program_nearest_among_some(world: World):
    made = fill(world)
    wanted = made[3]
    among = [n for n in np.argsort(-(made @ wanted)).tolist() if n % 3 == 1]
    (images, near), _ = world.ask([
        {"FindImage": {"_ref": 1, "constraints": where("cuisine", "==", "c1")}},
        {"FindDescriptor": {"set": "clip", "k_neighbors": 4, "knn_first": False,
                            "is_connected_to": {"ref": 1}, "results": {"list": ["id"]}}},
    ], [wanted.tobytes()])
    assert [hit["id"] for hit in near["entities"]] == among[:4]
    (classified,), _ = world.ask(
        [{"ClassifyDescriptor": {"set": "clip", "k_neighbors": 1}}], [wanted.tobytes()])
    assert classified["label"] == "c0", classified


def program_similar_images(world: World):
    made = fill(world)
    images = Images(world.db)
    images.search(constraints=Constraints().equal("id", 11))
    similar = images.get_similar_images("clip", 5)
    found = similar.get_properties(["id"])
    ids = [found[unique]["id"] for unique in similar.images_ids]
    assert ids == np.argsort(-(made @ made[11]))[:6].tolist()
    assert similar.get_image_by_index(1) == picture(ids[1])


class Questions(Subscriptable):
    """A generator of searches, as users write them."""

    def __init__(self, made):
        super().__init__()
        self.made, self.answers = made, {}

    def __len__(self):
        return len(self.made)

    def getitem(self, index):
        return [{"FindDescriptor": {"set": "clip", "k_neighbors": 3, "blobs": True,
                                    "results": {"list": ["id"]}}}], [self.made[index].tobytes()]

    def response_handler(self, query, blobs_in, answers, blobs_out):
        first = answers[0]["FindDescriptor"]["entities"]
        vector = np.frombuffer(blobs_out[0], dtype=np.float32)
        self.answers[first[0]["id"]] = ([e["id"] for e in first], vector)


def program_many_searches_at_once(world: World):
    made = fill(world)
    for batch, threads in [(1, 4), (5, 3)]:
        questions = Questions(made)
        querier = ParallelQuery(world.db)
        querier.query(questions, batchsize=batch, numthreads=threads, stats=False)
        assert querier.error_counter == 0
        assert sorted(questions.answers) == list(range(COUNT))
        for n, (ids, vector) in questions.answers.items():
            assert ids == np.argsort(-(made @ made[n]))[:3].tolist()
            assert np.array_equal(vector, made[n])


def program_pages_of_a_large_answer(world: World):
    """Batches, as training loops ask for them."""
    fill(world)
    (opened,), _ = world.ask([{"FindImage": {"batch": {}, "blobs": False,
                                             "results": {"list": ["id"]}}}])
    assert opened["batch"]["total_elements"] == COUNT
    seen = []
    for page in range(0, 5):
        (answer,), blobs = world.ask([{"FindImage": {
            "batch": {"batch_size": 9, "batch_id": page}, "blobs": True,
            "results": {"list": ["id"]}}}])
        assert len(blobs) == answer["returned"] <= 9
        seen += [entity["id"] for entity in answer["entities"]]
    assert sorted(seen) == list(range(COUNT))


def program_text_as_the_sdk_sends_it(world: World):
    """A query may be text; letters that are not ASCII arrive as they were."""
    text = json.dumps([{"AddEntity": {"class": "T", "properties": {"näme": "żółć 🍛 \u0001"}}}])
    for query in [text, json.dumps(json.loads(text), ensure_ascii=False)]:
        world.db.query(query)
        assert world.db.last_query_ok()
    (found,), _ = world.ask([{"FindEntity": {"with_class": "T", "results": {"list": ["näme"]}}}])
    assert found["entities"] == [{"näme": "żółć 🍛 \u0001"}] * 2


def program_a_large_blob(world: World):
    data = np.random.default_rng(1).bytes(40 << 20)
    world.ask([{"AddBlob": {"properties": {"id": 1}}}], [data])
    _, blobs = world.ask([{"FindBlob": {"blobs": True}}])
    assert blobs[0] == data


program_a_large_blob.long = True
