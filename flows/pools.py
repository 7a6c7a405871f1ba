"""`python -m flows.pools`: the work pools that prefect.yaml names, where they are not there yet.

`prefect work-pool create` does the same, but has Prefect's server ask GitHub which types of pools
there are, and no setting keeps it from that.
"""

from __future__ import annotations

import sys

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

POOLS = ("audit-flow", "audit-flow-gpu")


def make_pools(names: tuple[str, ...] = POOLS) -> dict[str, bool]:
    """Make process work pools on the server of PREFECT_API_URL; say which are new."""
    template = ProcessWorker.get_default_base_job_template()
    made = {}
    with get_client(sync_client=True) as client:
        for name in names:
            try:
                client.read_work_pool(name)
                made[name] = False
            except ObjectNotFound:
                pool = WorkPoolCreate(name=name, type="process", base_job_template=template)
                client.create_work_pool(pool)
                made[name] = True
    return made


if __name__ == "__main__":
    for _name, _new in make_pools().items():
        sys.stdout.write(f"work pool {_name}: {'made' if _new else 'there already'}\n")
