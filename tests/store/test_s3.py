"""The store as labs run it: MLflow's server, PostgreSQL behind it, artifacts in S3."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import RecordError
from audit_flow.store import find_audit, read_audit, record_audit
from tests.store.releases import release
from tests.store.test_servers import free_port, postgresql, until

pytestmark = pytest.mark.slow

BUCKET = "audits"
# The server of the tests takes any key; boto3 takes none from the machine's own files.
KEYS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def started(command: list[str], url: str, folder: Path, **settings: str) -> Iterator[str]:
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **KEYS, **settings})
    try:
        until(lambda: urllib.request.urlopen(url, timeout=2).close(), process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def s3(folder: Path) -> Iterator[Any]:
    """Serve S3 over HTTP on loopback; give a client of it."""
    boto3 = _needed("boto3")
    _needed("moto")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with started(command, f"http://127.0.0.1:{port}", folder) as url:
        session = boto3.session.Session(
            aws_access_key_id="tests", aws_secret_access_key="tests", region_name="us-east-1"
        )
        client = session.client("s3", endpoint_url=url)
        client.create_bucket(Bucket=BUCKET)
        yield client


def _needed(name: str) -> Any:
    if os.environ.get("CI"):
        return import_module(name)
    return pytest.importorskip(name, reason=f"S3 is NOT tried: {name} is not installed")


@contextmanager
def mlflow_on(database: str, s3_url: str, folder: Path) -> Iterator[str]:
    """Serve MLflow with its index in a database and its artifacts in S3."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    driver = database.replace("postgresql://", "postgresql+psycopg2://")
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", driver]
    command += ["--artifacts-destination", f"s3://{BUCKET}"]
    settings = {
        "MLFLOW_S3_ENDPOINT_URL": s3_url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with started(command, f"{uri}/health", folder, **settings):
        yield uri


def test_an_audit_with_postgresql_and_s3_behind_it(tmp_path: Path) -> None:
    record, verdict = release()
    with (
        postgresql(tmp_path) as database,
        s3(tmp_path) as bucket,
        mlflow_on(database, bucket.meta.endpoint_url, tmp_path) as uri,
    ):
        there: dict[str, Any] = {"tracking_uri": uri, "default_root": tmp_path / "state"}
        kept = record_audit(record, verdict, {"report.html": b"<p>"}, **there)
        assert kept.created
        assert not record_audit(record, verdict, {"report.html": b"<p>"}, **there).created
        assert [s.run_id for s in find_audit(record.sha256, **there)] == [kept.run_id]
        assert read_audit(kept.run_id, **there) == (record, verdict)

        # Every byte lies in S3, none on this disk, and what was changed there is found.
        keys = [o["Key"] for o in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
        (page,) = (k for k in keys if k.endswith("report.html"))
        assert bucket.get_object(Bucket=BUCKET, Key=page)["Body"].read() == b"<p>"
        assert not (tmp_path / "state" / "artifacts").exists()
        (where,) = (k for k in keys if k.endswith("record.json"))
        text = bucket.get_object(Bucket=BUCKET, Key=where)["Body"].read()
        bucket.put_object(Bucket=BUCKET, Key=where, Body=text.replace(b"93", b"98", 1))
        with pytest.raises(RecordError):
            read_audit(kept.run_id, **there)
        bucket.delete_object(Bucket=BUCKET, Key=where)
        with pytest.raises(RecordError):
            read_audit(kept.run_id, **there)
