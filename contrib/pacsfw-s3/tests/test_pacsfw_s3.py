"""The sink against an S3 server over HTTP, and against its contract."""

from __future__ import annotations

import json

import pacsfw_s3
import pytest

from pacsfw.api import Batch, Table
from pacsfw.testing import SinkContract, make_studies
from pacsfw.testing.contracts.converter import stored

BUCKET = "research"
TABLE = Table("instances", ())


@pytest.fixture(scope="session")
def server():
    """The address of an S3 server in this process, and a bucket on it."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def options(server):
    """Options of the sink, over an empty bucket."""
    access = {
        "key": "testing",
        "secret": "testing",
        "client_kwargs": {"endpoint_url": server, "region_name": "eu-central-1"},
    }
    store = store_of(access)
    if store.exists(BUCKET):
        store.rm(BUCKET, recursive=True)
    store.mkdir(BUCKET)
    return {"url": f"s3://{BUCKET}/chest", "storage_options": access}


def store_of(access):
    import fsspec

    return fsspec.filesystem("s3", **access, use_listings_cache=False, skip_instance_cache=True)


def there(options):
    """Every object below the prefix, with its content."""
    store = store_of(options["storage_options"])
    prefix = f"{BUCKET}/chest/"
    return {path.removeprefix(prefix): store.cat_file(path) for path in store.find(prefix)}


def manifests(found):
    return {name: json.loads(text) for name, text in found.items() if name.startswith("studies/")}


class TestContract(SinkContract):
    plugin = pacsfw_s3
    name = "s3"

    @pytest.fixture(autouse=True)
    def _options(self, options):
        self._given = options

    def options_in(self, folder):
        return self._given

    def rows(self, folder):
        found = there(self._given)
        for manifest in manifests(found).values():
            yield from map(json.loads, found[manifest["rows"]["key"]].splitlines())


def test_a_collection_is_in_the_bucket(pacsfw_run, embedded_pacs, sample_studies, options):
    run = pacsfw_run(embedded_pacs(sample_studies), sinks=[{"use": "s3", "with": options}])

    assert run.code == 0, run.said
    found = there(options)
    assert len(manifests(found)) == len(sample_studies)
    images = [each for one in manifests(found).values() for each in one["images"]]
    assert {each["uid"] for each in images} == {
        uid for study in sample_studies for uid in study.sop_uids
    }
    archived = sorted((run.archive / path).read_bytes() for path in run.files)
    assert sorted(found[each["key"]] for each in images) == archived
    assert {one["verdict"] for one in manifests(found).values()} == {"complete"}


def batch(study, files):
    return Batch(table=TABLE, key=study.uid, rows=[() for _ in files], files=files)


def files_of(study, folder):
    pairs = zip(study.write(folder), study.datasets(), strict=True)
    return [stored(path, dataset) for path, dataset in pairs]


def test_what_a_study_no_longer_has_is_deleted_and_nothing_is_sent_twice(tmp_path, options):
    (study,) = make_studies(1)
    files = files_of(study, tmp_path)
    sink = pacsfw_s3.ObjectStoreSink(**options)
    sink.open(None)

    sink.deliver(batch(study, files))
    whole = there(options)
    for file in files:
        file.path.with_suffix(".gone").write_bytes(b"")
        content = file.path.read_bytes()
        file.path.write_bytes(b"x" * len(content))  # would be seen if it were sent again
    sink.deliver(batch(study, files))
    assert there(options) == whole
    sink.deliver(batch(study, files[:1]))
    assert len([name for name in there(options) if name.startswith("images/")]) == 1
    sink.deliver(batch(study, []))
    assert there(options) == {}


def test_a_delivery_that_broke_off_shows_nothing_and_can_be_repeated(tmp_path, options):
    (study,) = make_studies(1)
    files = files_of(study, tmp_path)
    sink = pacsfw_s3.ObjectStoreSink(**options)
    sink.open(None)
    last = files[-1].path.read_bytes()
    files[-1].path.unlink()

    with pytest.raises(FileNotFoundError):
        sink.deliver(batch(study, files))
    assert manifests(there(options)) == {}

    files[-1].path.write_bytes(last)
    sink.deliver(batch(study, files))
    (manifest,) = manifests(there(options)).values()
    assert len(manifest["images"]) == len(files)


def test_a_bucket_that_is_not_there_is_an_error(tmp_path, options):
    (study,) = make_studies(1)
    sink = pacsfw_s3.ObjectStoreSink(**{**options, "url": "s3://nowhere/x"})
    sink.open(None)
    with pytest.raises(OSError, match=r"(?i)bucket"):
        sink.deliver(batch(study, files_of(study, tmp_path)))
