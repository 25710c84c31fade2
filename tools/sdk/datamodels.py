#!/usr/bin/env python3
"""What the Python SDK's data models send: makes tests/tests/golden/sdk.json.

Needs the package `aperturedb` (0.5.3 made the file that is kept) and what its modules `DataModels`
and `Query` import. Talks to no database. From the repository's root:

    python tools/sdk/datamodels.py > tests/tests/golden/sdk.json
"""

import json
import os
import tempfile
from typing import List, Optional

from aperturedb.DataModels import (
    ClipDataModel,
    DescriptorDataModel,
    DescriptorSetDataModel,
    IdentityDataModel,
    ImageDataModel,
    VideoDataModel,
)
from aperturedb.Query import RangeType, generate_add_query


# It names a class that its module defines further down.
DescriptorDataModel.model_rebuild()


class DishLook(DescriptorDataModel):
    pass


class Ingredient(IdentityDataModel):
    vegan: Optional[bool] = None


class Dish(ImageDataModel):
    name: str
    look: DishLook
    ingredients: List[Ingredient]
    main: Optional[Ingredient] = None


class Menu(IdentityDataModel):
    title: str
    dishes: List[Dish]


class Scene(ClipDataModel):
    number: int


class Film(VideoDataModel):
    title: str
    scenes: List[Scene]


LOOKS = DescriptorSetDataModel(id="looks", name="looks", dimensions=4)


def look(name, x):
    return DishLook(id=name, vector=[x, 0.0, 0.0, 1.0], set=LOOKS)


def requests():
    """What the SDK sends for each model, by name: commands and blobs."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in [
            ("1.png", b"\x89PNG\r\n\x1a\n1"),
            ("2.png", b"\x89PNG\r\n\x1a\n2"),
            ("film.mp4", b"the film"),
        ]:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        rice = Ingredient(id="rice", vegan=True)
        menu = Menu(
            id="m1",
            title="lunch",
            dishes=[
                Dish(
                    id="d1",
                    url=os.path.join(folder, "1.png"),
                    name="dal",
                    look=look("7f3a", 1.0),
                    ingredients=[Ingredient(id="lentils"), Ingredient(id="salt")],
                    main=Ingredient(id="cumin", vegan=True),
                ),
                Dish(
                    id="d2",
                    url=os.path.join(folder, "2.png"),
                    name="rice",
                    look=look("c0de", 2.0),
                    ingredients=[rice],
                ),
            ],
        )
        # A child that is met again.
        shared = Dish(
            id="d3",
            url=os.path.join(folder, "1.png"),
            name="fried rice",
            look=look("beef", 3.0),
            ingredients=[Ingredient(id="egg"), rice],
            main=rice,
        )
        film = Film(
            id="f1",
            url=os.path.join(folder, "film.mp4"),
            title="Metropolis",
            scenes=[Scene(id="s1", number=1, range_type=RangeType.TIME, start=1, stop=65)],
        )
        models = {"menu": menu, "shared": shared, "film": film}
        return {name: generate_add_query(model)[:2] for name, model in models.items()}


def main():
    shown = {}
    for name, (commands, blobs) in requests().items():
        shown[name] = {"commands": commands, "blobs": [bytes(b).hex() for b in blobs]}
    print(json.dumps(shown, indent=1))


if __name__ == "__main__":
    main()
