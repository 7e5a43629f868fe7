"""Writes what Prefect's server brings along as data: the types of workers with their base job templates, and the types of
blocks that it installs, with their schemas.

    <venv with prefect>/bin/python worker/local/prefect_data.py

Made with prefect 3.9.1.
"""

import asyncio
import json
import os
import tempfile
import uuid
from pathlib import Path

os.environ["PREFECT_HOME"] = tempfile.mkdtemp()

import sqlalchemy as sa  # noqa: E402

import prefect.server.api.collections as collections  # noqa: E402
from prefect.server.database import provide_database_interface  # noqa: E402
from prefect.server.models.block_registration import run_block_auto_registration  # noqa: E402

DATA = Path(__file__).parent.parent / "domain" / "data"
IDS = uuid.UUID("6f2a0c1e-2f0e-4a58-9a55-0d6a8f1b7c11")


def write_worker_types() -> None:
    view = Path(collections.__file__).parent / "collections_data/views/aggregate-worker-metadata.json"
    write("worker-types.json", json.loads(view.read_text()))


async def write_block_types() -> None:
    """As a fresh database has them. Ids come from slugs, so that they stay what they are when this runs again."""
    db = await asyncio.to_thread(provide_database_interface)
    await db.create_db()
    async with await db.session() as session:
        await run_block_auto_registration(session)
    async with db.session_context() as session:
        types = (await session.scalars(sa.select(db.BlockType).order_by(db.BlockType.slug))).all()
        schemas = (await session.scalars(sa.select(db.BlockSchema).order_by(db.BlockSchema.created))).all()
        references = (
            await session.scalars(sa.select(db.BlockSchemaReference).order_by(db.BlockSchemaReference.created))
        ).all()
    type_ids = {type.id: stable_id(type.slug) for type in types}
    schema_ids = {schema.id: stable_id(f"{schema.checksum} {schema.version}") for schema in schemas}
    write(
        "block-types.json",
        {
            "block_types": [
                {
                    "id": type_ids[type.id],
                    "name": type.name,
                    "slug": type.slug,
                    "logo_url": type.logo_url,
                    "documentation_url": type.documentation_url,
                    "description": type.description,
                    "code_example": type.code_example,
                    "is_protected": type.is_protected,
                }
                for type in types
            ],
            "block_schemas": [
                {
                    "id": schema_ids[schema.id],
                    "block_type_id": type_ids[schema.block_type_id],
                    "checksum": schema.checksum,
                    "version": schema.version,
                    "capabilities": sorted(schema.capabilities),
                    # A text, since a number in it must be read as it is written here.
                    "fields": json.dumps(schema.fields, separators=(",", ":")),
                    "block_schema_references": [
                        {"name": reference.name, "id": schema_ids[reference.reference_block_schema_id]}
                        for reference in references
                        if reference.parent_block_schema_id == schema.id
                    ],
                }
                for schema in schemas
            ],
        },
    )


def stable_id(text: str) -> str:
    return str(uuid.uuid5(IDS, text))


def write(name: str, data: object) -> None:
    (DATA / name).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    write_worker_types()
    asyncio.run(write_block_types())
