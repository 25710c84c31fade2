"""The blocks of Python in our own documentation, run as they stand there."""

import contextlib
import io
import os
import pathlib
import re
from typing import List

import aperturedb.CommonLibrary as common
import numpy as np
from aperturedb.DataModels import IdentityDataModel, ImageDataModel
from aperturedb.Query import generate_add_query

from media import picture, vectors
from world import World

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"


def blocks(page):
    found = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)
    assert found, page
    return found


def program_server(world: World):
    """What the page gets from the configuration is a connection; here it is the world's."""
    (block,) = blocks("server.md")
    before, common.create_connector = common.create_connector, lambda *_, **__: world.db
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(block, "server.md", "exec"), {})
    finally:
        common.create_connector = before
    assert printed.getvalue() == "[{'name': 'dal'}]\n", printed.getvalue()


def program_from_the_python_sdk(world: World):
    """The page leaves out imports, the connection, and what makes a vector of a text."""
    dimensions = 512
    names = {
        "List": List, "IdentityDataModel": IdentityDataModel, "ImageDataModel": ImageDataModel,
        "generate_add_query": generate_add_query, "client": world.db,
        "clip": lambda texts: vectors(len(texts), dimensions),
    }
    add, search = blocks("from-the-python-sdk.md")
    (world.dir / "dal.jpg").write_bytes(picture(1))
    here = os.getcwd()
    os.chdir(world.dir)
    try:
        exec(compile(add, "from-the-python-sdk.md", "exec"), names)
    finally:
        os.chdir(here)
    assert world.count("Image") == 1, world.count("Image")
    world.ask([{"AddDescriptorSet": {"name": "dish_photos", "dimensions": dimensions,
                                     "metric": "CS"}}])
    near = vectors(1, dimensions).astype(np.float32)[0].tobytes()
    world.ask([{"FindImage": {"_ref": 1}},
               {"AddDescriptor": {"set": "dish_photos", "connect": {"ref": 1}}}], [near])
    exec(compile(search, "from-the-python-sdk.md", "exec"), names)
    answers = names["r"]
    assert answers[0]["FindDescriptor"]["returned"] == 1, answers
    assert [image["name"] for image in answers[1]["FindImage"]["entities"]] == ["dal"], answers
