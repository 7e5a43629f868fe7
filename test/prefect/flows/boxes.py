"""Blocks of our own: nested, in a union, with secrets in every place."""

import os
from typing import Optional, Union

from pydantic import BaseModel, SecretStr

from prefect import flow
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.filesystems import LocalFileSystem
from prefect.types import SecretDict


class Lock(Block):
    """A lock, ünïcödé ☃ 𝒳 <b>"""

    code: SecretStr
    strength: float = 1.0
    serial: int = 12345678901234567890


class Seal(Block):
    wax: str = "red"


class Label(BaseModel):
    sender: SecretStr
    weight: float = 2.5e-7


class Box(Block):
    _block_type_name = "Box of Things"

    lock: Lock
    closed_by: Union[Lock, Seal]
    label: Label
    papers: SecretDict
    note: Optional[str] = None


@flow(log_prints=True)
def opens():
    print(f"env {os.environ['TOKEN']} {os.environ['WAX']}")
    print(f"loaded {Secret.load('token').get()}")
    Seal(wax="blue").save("made-inside", overwrite=True)


def round_trip():
    lock = Lock(code="1234")
    lock.save("front", overwrite=True)
    seal = Seal()
    seal.save("seal", overwrite=True)
    papers = {"a": "b", "c": {"d": "e"}}
    box = Box(lock=lock, closed_by=seal, label=Label(sender="me"), papers=papers, note="☃")
    box.save("box", overwrite=True)

    loaded = Box.load("box")
    assert loaded.lock.code.get_secret_value() == "1234"
    assert loaded.lock.serial == 12345678901234567890 and type(loaded.lock.strength) is float
    assert isinstance(loaded.closed_by, Seal) and loaded.closed_by.wax == "red"
    assert loaded.label.sender.get_secret_value() == "me" and loaded.label.weight == 2.5e-7
    assert loaded.papers.get_secret_value() == papers and loaded.note == "☃"

    # What a nested block is now is what its holder loads.
    Lock(code="5678").save("front", overwrite=True)
    assert Box.load("box").lock.code.get_secret_value() == "5678"

    # A nested block that was not saved by itself lives in its holder.
    box.lock, box.note = Lock(code="inner"), None
    box.save("box", overwrite=True)
    again = Block.load("box-of-things/box")
    assert again.lock.code.get_secret_value() == "inner" and again.note is None

    for value in ["text", {"a": [1, 2.0, None]}, 5, ["x"]]:
        Secret(value=value).save("any", overwrite=True)
        assert Secret.load("any").get() == value
    try:
        Secret(value="other").save("any")
    except ValueError as error:
        assert "already in use" in str(error)
    else:
        raise AssertionError("a name that is taken was taken again")
    try:
        Secret.load("nothing")
    except ValueError as error:
        assert "Unable to find block document named nothing" in str(error)
    else:
        raise AssertionError("nothing was loaded")

    folder = LocalFileSystem(basepath=os.path.abspath("stored"))
    folder.save("folder", overwrite=True)
    Block.load("local-file-system/folder").write_path("file", b"content")
    assert LocalFileSystem.load("folder").read_path("file") == b"content"

    Secret(value="gone").save("gone")
    Secret.delete("gone")
    print("round trip done")


if __name__ == "__main__":
    round_trip()
