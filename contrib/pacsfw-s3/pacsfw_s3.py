"""The sink ``s3``: studies in an object store, each with a manifest that is written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from typing import Any

from pacsfw import Component, hookimpl
from pacsfw.api import Batch, RunContext, Sink, Stored

SCHEMA = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "pattern": "^[a-z0-9+]+://.+",
            "description": "Bucket and prefix, such as s3://bucket/prefix.",
        },
        "storage_options": {
            "type": "object",
            "writeOnly": True,
            "description": "Options of the fsspec file system: credentials, endpoint.",
        },
        "images": {"type": "boolean", "default": True, "description": "Upload the instances."},
    },
    "required": ["url"],
    "additionalProperties": False,
}


class ObjectStoreSink(Sink):
    """Uploads the parts of a study under names derived from their content, then the manifest.

    Parameters
    ----------
    url
        The target, with the protocol of an fsspec file system.
    storage_options
        Passed to that file system.
    images
        Whether to upload the instances as well.
    """

    def __init__(
        self, url: str, storage_options: Mapping[str, Any] | None = None, images: bool = True
    ) -> None:
        self._url = url.rstrip("/")
        self._options = dict(storage_options or {})
        self._images = images
        self._store: Any = None
        self._root = ""

    def open(self, context: RunContext) -> None:
        """Connect."""
        import fsspec  # slow, with its protocols

        # Cached listings would hide uploads by another collection.
        options = {"use_listings_cache": False, **self._options}
        self._store, self._root = fsspec.core.url_to_fs(self._url, **options)

    def deliver(self, batch: Batch) -> None:
        """Upload a study, then its manifest; delete files that the manifest no longer names.

        Raises
        ------
        OSError
            The store cannot be reached, or refuses the upload.
        """
        manifest = f"{self._root}/studies/{batch.key}.json"
        before = self._named_by(manifest)
        if not batch.rows and not batch.files:
            self._forget([manifest, *before])
            return
        there = set(before)
        images = [self._put_image(file, there) for file in batch.files if self._images]
        rows = self._put_rows(batch, there)
        content = _dump(
            {
                "study": batch.key,
                "verdict": batch.verdict.state if batch.verdict else None,
                "rows": rows,
                "images": images,
            }
        )
        self._store.pipe_file(manifest, content)
        now = {f"{self._root}/{each['key']}" for each in (*images, rows)}
        self._forget(sorted(there - now))

    def _named_by(self, manifest: str) -> list[str]:
        try:
            known = json.loads(self._store.cat_file(manifest))
        except FileNotFoundError:
            return []
        return [f"{self._root}/{each['key']}" for each in (*known["images"], known["rows"])]

    def _put_image(self, file: Stored, there: set[str]) -> dict[str, Any]:
        name = f"{file.sop_uid}-{file.digest[:16]}.dcm"
        key = f"images/{file.study_uid}/{file.series_uid}/{name}"
        size = file.path.stat().st_size
        if f"{self._root}/{key}" not in there:
            self._store.put_file(str(file.path), f"{self._root}/{key}")
        return {"key": key, "uid": file.sop_uid, "bytes": size, "sha256": file.digest}

    def _put_rows(self, batch: Batch, there: set[str]) -> dict[str, Any]:
        names = [column.name for column in batch.table.columns]
        lines = [_dump(dict(zip(names, row, strict=True))) + b"\n" for row in batch.rows]
        content = b"".join(lines)
        digest = hashlib.sha256(content).hexdigest()
        key = f"rows/{batch.key}/{digest[:16]}.jsonl"
        if f"{self._root}/{key}" not in there:
            self._store.pipe_file(f"{self._root}/{key}", content)
        return {"key": key, "rows": len(lines), "sha256": digest}

    def _forget(self, paths: Iterable[str]) -> None:
        for path in paths:
            try:
                self._store.rm_file(path)
            except FileNotFoundError:
                continue  # an earlier delivery was killed while it cleaned up


def _dump(value: Any) -> bytes:
    return json.dumps(value, default=_plain, ensure_ascii=False).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"JSON cannot represent a {type(value).__name__}")


@hookimpl
def pacsfw_sinks() -> Iterator[Component[Sink]]:
    """Offer ``s3``."""
    yield Component(
        name="s3",
        factory=ObjectStoreSink,
        schema=SCHEMA,
        summary="studies, rows and manifests in an object store (fsspec)",
        requires=("fsspec", "s3fs"),
    )
