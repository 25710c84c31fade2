"""The SDK's data models, sent with `generate_add_query` and read back."""

import enum
from typing import List, Optional

import numpy as np
from aperturedb.CommonLibrary import execute_query
from aperturedb.DataModels import (ClipDataModel, DescriptorDataModel, DescriptorSetDataModel,
                                   IdentityDataModel, ImageDataModel, VideoDataModel)
from aperturedb.Query import RangeType, generate_add_query

from media import picture, vectors, video
from world import World, where


# It names a class that its module defines further down.
DescriptorDataModel.model_rebuild()


class Finish(enum.Enum):
    MATTE = 1
    GLOSSY = 2


class Finger(IdentityDataModel):
    nail: Finish = Finish.MATTE


class Hand(ImageDataModel):
    side: str = "left"
    fingers: List[Finger] = []
    thumb: Optional[Finger] = None


class Person(IdentityDataModel):
    name: str
    height: float
    age: int
    hands: List[Hand] = []
    dominant: Optional[Hand] = None


class Look(DescriptorDataModel):
    model: str = "tiny"


class Scene(ClipDataModel):
    number: int
    look: Optional[Look] = None


class Film(VideoDataModel):
    title: str
    scenes: List[Scene] = []


def send(world: World, value):
    """Sends a model's commands as users do; gives the statuses."""
    query, blobs, _ = generate_add_query(value)
    result, answers, _ = execute_query(world.db, query, blobs, success_statuses=[0, 2])
    assert result == 0, answers
    return [next(iter(answer.values()))["status"] for answer in answers]


def person(world: World, n):
    hands = []
    for side in ["left", "right"]:
        path = world.dir / f"{n}-{side}.png"
        path.write_bytes(picture(10 * n + len(side)))
        fingers = [Finger(id=f"f{n}-{side}-{i}", nail=Finish.GLOSSY if i else Finish.MATTE)
                   for i in range(3)]
        hands.append(Hand(id=f"h{n}-{side}", url=str(path), side=side, fingers=fingers,
                          thumb=fingers[0]))
    return Person(id=f"p{n}", name=f"$person {n}", height=1.5 + n / 8, age=20 + n, hands=hands,
                  dominant=hands[1])


def program_people_with_hands(world: World):
    people = [person(world, n) for n in range(4)]
    for value in people:
        assert set(send(world, value)) == {0, 2}, "what is met twice exists by then"
    assert world.utils.count_entities("Person") == 4
    assert world.utils.count_images() == 8
    assert world.utils.count_entities("Finger") == 24
    for value in people:
        (found, hands, fingers), blobs = world.ask([
            {"FindEntity": {"_ref": 1, "with_class": "Person",
                            "constraints": where("id", "==", value.id),
                            "results": {"all_properties": True}}},
            {"FindImage": {"_ref": 2, "blobs": True,
                           "is_connected_to": {"ref": 1, "connection_class": "Hand"},
                           "results": {"list": ["id", "side", "user_type"]}}},
            {"FindEntity": {"with_class": "Finger", "is_connected_to": {"ref": 2},
                            "results": {"list": ["id", "nail"]}}}])
        entity = found["entities"][0]
        assert (entity["name"], entity["height"], entity["age"]) == \
            (value.name, value.height, value.age)
        assert hands["returned"] == 2 and fingers["returned"] == 6
        for hand in hands["entities"]:
            expected = next(h for h in value.hands if h.id == hand["id"])
            assert hand["side"] == expected.side and hand["user_type"] == "Hand"
            with open(expected.url, "rb") as file:
                assert blobs[hand["_blob_index"]] == file.read()
        nails = {finger["id"]: finger["nail"] for finger in fingers["entities"]}
        assert all(nails[f.id] == f.nail.name for hand in value.hands for f in hand.fingers)
    edges = world.ask([{"FindConnection": {
        "with_class": "Hand", "results": {"list": ["source_field"]}}}])[0][0]
    fields = sorted(edge["source_field"] for edge in edges["connections"])
    assert fields == sorted(["hands[0]", "hands[1]", "dominant"] * 4)


def program_a_film_with_scenes(world: World):
    world.utils.add_descriptorset("looks", 8, "L2", "Flat")
    looks = DescriptorSetDataModel(name="looks", dimensions=8)
    path = world.dir / "film.avi"
    data = video(path, frames=30)
    made = vectors(3, 8)
    scenes = [Scene(id=f"s{n}", number=n, range_type=RangeType.FRAME, start=n * 5, stop=n * 5 + 4,
                    look=Look(id=f"l{n}", vector=made[n].tolist(), set=looks)) for n in range(3)]
    send(world, Film(id="m1", title="Metropolis", url=str(path), scenes=scenes))
    (films, clips, vectors_found), blobs = world.ask([
        {"FindVideo": {"_ref": 1, "blobs": True, "results": {"list": ["title"]}}},
        {"FindClip": {"_ref": 2, "video_ref": 1, "results": {"list": ["number"]}}},
        {"FindDescriptor": {"set": "looks", "is_connected_to": {"ref": 2}, "blobs": True,
                            "results": {"list": ["id", "model", "user_type"]}}}])
    assert films["entities"][0]["title"] == "Metropolis" and blobs[0] == data
    assert sorted(clip["number"] for clip in clips["entities"]) == [0, 1, 2]
    for entity in vectors_found["entities"]:
        n = int(entity["id"][1:])
        vector = np.frombuffer(blobs[entity["_blob_index"]], dtype=np.float32)
        assert np.array_equal(vector, made[n]) and entity["user_type"] == "Look"


def program_a_second_run_keeps_objects(world: World):
    """And doubles connections, which the SDK's models do not guard."""
    value = person(world, 1)
    send(world, value)
    edges = world.utils.count_connections("Hand")
    assert set(send(world, value)) == {0, 2}
    assert world.utils.count_entities("Person") == 1 and world.utils.count_images() == 2
    assert world.utils.count_connections("Hand") == 2 * edges
