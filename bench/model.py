"""The Python SDK's way from a model to the bytes of a request: records per second.

The record of bench/src/bin/model.rs, as the SDK's own data models take it. The photo's `url` is
empty, so that no file is read: the SDK would read it anew for each record.
"""

import argparse
import json
import math
import os
import statistics
import time

os.environ["ADB_LOG_FILE"] = ""  # the SDK would write log files beside us

from aperturedb import __version__
from aperturedb.DataModels import (DescriptorDataModel, DescriptorSetDataModel, IdentityDataModel,
                                   ImageDataModel)
from aperturedb.Query import generate_add_query


class Ingredient(IdentityDataModel):
    name: str


class Dish(ImageDataModel):
    dish_id: int
    name: str
    cuisine: str
    caption: str
    contributor: str
    location: str
    recipe_url: str
    look: DescriptorDataModel
    ingredients: list[Ingredient]


SET = DescriptorSetDataModel(name="dish_photos", dimensions=512)
VECTOR = [math.sin(i * 0.37) for i in range(512)]


def record():
    return Dish(
        id="4", url="", dish_id=4, name="Butter chicken", cuisine="Indian",
        caption="Chicken in Creamy tomato based gravy", contributor="gautam", location="NJ",
        recipe_url="https://www.indianhealthyrecipes.com/butter-chicken/",
        look=DescriptorDataModel(id="4/look", vector=VECTOR, set=SET),
        ingredients=[Ingredient(id=name, name=name) for name in ("chicken", "tomato")])


def query(dish):
    commands, blobs, _ = generate_add_query(dish)
    return json.dumps(commands), blobs


def measure(name, records, samples, step):
    times = []
    for sample in range(samples + 1):  # the first is for warming up
        start = time.perf_counter_ns()
        for _ in range(records):
            step()
        if sample > 0:
            times.append((time.perf_counter_ns() - start) / records)
    print(f"{name:<9} {statistics.median(times):>8.0f} ns "
          f"(min {min(times):.0f}, max {max(times):.0f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--samples", type=int, default=9)
    parser.add_argument("--show", action="store_true", help="print the request's commands instead")
    options = parser.parse_args()
    dish = record()
    commands, blobs = query(dish)
    if options.show:
        print(commands)
        return
    print(f"aperturedb {__version__}; request: {len(commands)} bytes of commands, "
          f"{sum(map(len, blobs))} of blobs")
    measure("struct", options.records, options.samples, record)
    measure("query", options.records, options.samples, lambda: query(dish))
    measure("whole", options.records, options.samples, lambda: query(record()))


if __name__ == "__main__":
    main()
