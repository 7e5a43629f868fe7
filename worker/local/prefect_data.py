"""Writes what Prefect's server brings along as data: the types of workers with their base job templates.

    <venv with prefect>/bin/python worker/local/prefect_data.py

Made with prefect 3.9.1.
"""

import json
from pathlib import Path

import prefect.server.api.collections as collections

DATA = Path(__file__).parent.parent / "domain" / "data"


def write_worker_types() -> None:
    view = Path(collections.__file__).parent / "collections_data/views/aggregate-worker-metadata.json"
    write("worker-types.json", json.loads(view.read_text()))


def write(name: str, data: object) -> None:
    (DATA / name).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    write_worker_types()
