"""ApertureDB's page about embeddings of pictures: a set, pictures by address with their vectors, and
the pictures that are nearest, in one round trip. Its commands as the page gives them, with a site on
this machine in place of its own."""

import numpy as np

from media import picture, vectors
from world import NEW, World

DIMENSIONS = 512


def fill(world: World, site, count):
    world.ask([{"AddDescriptorSet": {
        "name": "look", "dimensions": DIMENSIONS, "engine": "HNSW", "metric": "CS"}}])
    made = vectors(count, DIMENSIONS)
    for n in range(count):
        properties = {"name": f"picture {n}", "n": n}
        answers, _ = world.ask([
            {"AddImage": {"url": f"{site}/{n}.png", "_ref": 1, "properties": properties}},
            {"AddDescriptor": {
                "set": "look",
                "connect": {"ref": 1, "class": "has_embedding"},
                "properties": {"n": n}}},
        ], [made[n].tobytes()])
        assert len(answers) == 2
    return made


def program_pictures_by_address_and_the_nearest(world: World):
    count = 12
    files = {f"/{n}.png": picture(n) for n in range(count)}
    with world.site(files) as site:
        made = fill(world, site, count)
    wanted = made[4] + 0.01 * made[7]
    # The page names the connection's class `class`; the reference calls it `connection_class`.
    for key in ["class", "connection_class"]:
        (near, found), blobs = world.ask([
            {"FindDescriptor": {"set": "look", "k_neighbors": 5, "distances": True, "_ref": 1}},
            {"FindImage": {"is_connected_to": {"ref": 1, key: "has_embedding"}, "blobs": True,
                           "results": {"all_properties": True}}},
        ], [wanted.astype(np.float32).tobytes()])
        assert near["returned"] == 5 and len(near["entities"]) == 5
        distances = [hit["_distance"] for hit in near["entities"]]
        # Of cosine: the nearest have the largest.
        assert distances == sorted(distances, reverse=True) and distances[0] > 0.99
        nearest = set(np.argsort(-(made @ wanted))[:5].tolist())
        assert {picture["n"] for picture in found["entities"]} == nearest
        assert len(blobs) == 5
        for entity in found["entities"]:
            n = entity["n"]
            assert blobs[entity["_blob_index"]] == files[f"/{n}.png"]
            assert entity["name"] == f"picture {n}"
    (found,), _ = world.ask([{"FindImage": {"urls": True, "results": {"list": ["n"]}}}])
    assert all(e["_url"] == f"{site}/{e['n']}.png" for e in found["entities"])


def program_addresses_that_may_not_be_asked(world: World):
    """The server fetches from the public net and from what it was told, and from nowhere else."""
    with world.site({"/1.png": picture(1)}) as site:
        elsewhere = site.replace("127.0.0.1", "127.0.0.2")
        said = world.refused([{"AddImage": {"url": f"{elsewhere}/1.png"}}])
        assert "public net" in said, said
        assert "404" in world.refused([{"AddImage": {"url": f"{site}/2.png"}}])
    world.refused([{"AddImage": {"url": "file:///etc/passwd"}}])
    assert world.count("Image") == 0
