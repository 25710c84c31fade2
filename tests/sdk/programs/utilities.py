"""Utils: what is there, indexes, and taking everything away."""

import contextlib
import io

from aperturedb.Constraints import Constraints
from aperturedb.Utils import Utils

from media import picture, vectors
from world import World, where


def fill(world: World):
    for n in range(6):
        world.ask([
            {"AddImage": {"_ref": 1, "properties": {"id": n, "label": "a" if n < 4 else "b"}}},
            {"AddEntity": {"class": "Person", "properties": {"id": n, "name": f"p{n}"},
                           "connect": {"ref": 1, "class": "Sees", "direction": "out"}}},
            {"AddBoundingBox": {"image_ref": 1, "label": "box",
                                "rectangle": {"x": 0, "y": 0, "width": 4, "height": 4}}},
        ], [picture(n)])


def program_counts(world: World):
    fill(world)
    assert world.utils.count_images() == 6
    assert world.utils.count_bboxes() == 6
    assert world.utils.count_entities("Person") == 6
    assert world.utils.count_entities("_Image") == 6
    assert world.utils.count_connections("Sees") == 6
    some = Constraints().greaterequal("id", 2)
    some = some if isinstance(some.constraints, dict) else some
    assert world.utils.count_images(some.constraints) == 4
    assert world.utils.count_entities("Person", some.constraints) == 4


def program_summary_and_schema(world: World):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        world.utils.summary()
    assert "Total nodes: 0" in out.getvalue()
    fill(world)
    assert world.utils.create_entity_index("Person", "id")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        world.utils.summary()
    said = out.getvalue()
    for words in ["Person", "Person ====> _Image", "Sees", "Total elements: 6"]:
        assert words in said, said
    schema = world.utils.get_schema()
    person = schema["entities"]["classes"]["Person"]
    assert person["matched"] == 6 and person["properties"]["id"][:2] == [6, True]
    drawn = world.utils.visualize_schema().source
    assert "Person" in drawn and "Sees" in drawn
    assert '"GetStatus"' in world.utils.status()


def program_indexes(world: World):
    fill(world)
    utils = world.utils
    for _ in range(2):
        assert utils.create_entity_index("Person", "id"), "making it twice is no fault"
    assert utils.create_entity_index("_Image", "label")
    assert utils.create_connection_index("Sees", "since")
    assert utils.get_indexed_props("Person") == ["id"]
    assert utils.get_indexed_props("_Image") == ["label"]
    assert utils.remove_entity_index("Person", "id")
    assert utils.get_indexed_props("Person") == []
    assert utils.remove_all_indexes()
    assert utils.get_indexed_props("_Image") == []


def program_removing(world: World):
    fill(world)
    utils = Utils(world.db, verbose=True)
    with contextlib.redirect_stdout(io.StringIO()):
        assert utils.remove_connections("Sees") and utils.count_connections("Sees") == 0
        assert utils.remove_entities("Person") and utils.count_entities("Person") == 0
        world.ask([{"AddEntity": {"class": "Person", "properties": {"id": n}}}
                   for n in range(30)])
        assert utils.remove_entities("Person", batched=True, batch_size=7)
    assert utils.count_entities("Person") == 0 and utils.count_images() == 6
    assert utils.remove_all_objects()
    schema = utils.get_schema()
    assert schema["entities"] is None and schema["connections"] is None
    assert utils.remove_all_objects(), "also when nothing is there"


def program_descriptor_sets(world: World):
    utils = world.utils
    assert utils.get_descriptorset_list() == []
    for name, metric, engine in [("a", "L2", "Flat"), ("b", "CS", "HNSW"), ("c", "IP", "FaissFlat")]:
        utils.add_descriptorset(name, 4, metric, engine)
        world.ask([{"AddDescriptor": {"set": name}}] * 3, [v.tobytes() for v in vectors(3, 4)])
    assert utils.get_descriptorset_list() == ["a", "b", "c"]
    assert utils.count_descriptors_in_set("b") == 3
    utils.remove_descriptorset("b")
    assert utils.get_descriptorset_list() == ["a", "c"]
    assert utils.count_entities("_Descriptor") == 6
    utils.remove_all_descriptorsets()
    assert utils.get_descriptorset_list() == []
    assert utils.count_entities("_Descriptor") == 0


def program_messages_for_the_log(world: World):
    world.utils.user_log_message("from the SDK", "WARNING")


def program_removed_and_filled_again(world: World):
    """An index from before serves what comes after."""
    fill(world)
    assert world.utils.create_entity_index("Person", "id")
    assert world.utils.remove_all_objects()
    fill(world)
    (found,), _ = world.ask([{"FindEntity": {
        "with_class": "Person", "constraints": where("id", "==", 3), "results": {"list": ["name"]}}}])
    assert found["entities"] == [{"name": "p3"}]
