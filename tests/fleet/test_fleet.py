"""Fleets that are killed while they work: every job is done, and nothing is done twice.

The tests are small, as CI runs them. `make fleet` runs them with 300 jobs each, five seeds, and restarted databases.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import anyio
import attrs
import pytest
from support.fleet import PEOPLE, Fleet, count_effects, lossy_sandbox, make_files
from support.hosts import hosts, isolation
from support.postgres_servers import PostgresServer, postgres_server
from support.redis_servers import RedisServer, redis_server

from tingting_async import PostgresLedger
from tingting_async.sandbox import Sandbox

JOBS = int(os.environ.get("FLEET_JOBS", "5"))
SEEDS = range(int(os.environ.get("FLEET_SEEDS", "1")))
LIMIT = 150 + JOBS * 3
"""Seconds after which a fleet has failed."""
LOST = 0.06
"""The share of responses that are lost."""

pytestmark = pytest.mark.timeout(LIMIT * 2)


@attrs.frozen
class Servers:
    """What a fleet works with."""

    sandbox: Sandbox
    postgres: PostgresServer
    redis: RedisServer

    @property
    def environment(self) -> dict[str, str]:
        """What the workers read."""
        return {
            "TINGTING_BASE_URL": self.sandbox.url,
            "TINGTING_EMAIL": self.sandbox.email,
            "TINGTING_PASSWORD": self.sandbox.password,
            "DATABASE_URL": self.postgres.dsn(),
            "REDIS_URL": self.redis.url,
            "DEAD_AFTER": "3",
        }


def procrastinate_is_idle(servers: Servers) -> bool:
    """Return whether every job of a file has succeeded."""
    statement = "SELECT 1 FROM procrastinate_jobs WHERE task_name LIKE '%process' AND status != 'succeeded' LIMIT 1"
    return not servers.postgres.run(statement)


def taskiq_is_idle(servers: Servers) -> bool:
    """Return whether every message of the stream was confirmed."""
    (group,) = servers.redis.run("XINFO", "GROUPS", "campaigns")
    return group[b"pending"] == 0 and group[b"lag"] == 0


ENGINES = {
    "procrastinate_fleet.py": procrastinate_is_idle,
    "taskiq_fleet.py": taskiq_is_idle,
}


@contextmanager
def fleet_servers(seed: int) -> Iterator[Servers]:
    """Run the service, PostgreSQL and Redis."""
    with lossy_sandbox(seed, LOST) as sandbox, postgres_server() as postgres, redis_server() as redis:
        yield Servers(sandbox, postgres, redis)


def run_fleet(
    script: str,
    servers: Servers,
    folder: Path,
    *,
    seed: int,
    jobs: int = JOBS,
    restarts: int = 0,
    is_safe: bool = True,
) -> Fleet:
    """Let a fleet process all files while its workers are killed, and some jobs are delivered twice."""
    ports = [int(servers.sandbox.url.rpartition(":")[2]), servers.postgres.port, servers.redis.port]
    with hosts(folder / "hosts", 2, ports) as machines:
        fleet = Fleet(
            script,
            machines,
            servers.environment,
            make_files(folder / "files", jobs),
            servers.sandbox,
            Random(seed),
            is_safe=is_safe,
        )
        if "procrastinate" in script:
            fleet.run("setup")
        fleet.add_jobs([*fleet.files, *fleet.random.sample(fleet.files, jobs // 10 + 1)])
        fleet.work(limit=LIMIT, restart=servers.postgres.restart, restarts=restarts)
        fleet.settle(lambda: ENGINES[script](servers), limit=LIMIT)
    return fleet


def require_done_once(servers: Servers, fleet: Fleet) -> None:
    """Assert that every file was processed once: one campaign, one run, one text for each person, nothing unknown."""
    names = [file.stem for file in fleet.files]
    created = count_effects(servers.sandbox, "created")
    assert dict.fromkeys(names, 1) == created
    assert sorted(count_effects(servers.sandbox, "run").values()) == [1] * JOBS
    texted = count_effects(servers.sandbox, "sms")
    assert len(texted) == JOBS * PEOPLE
    assert set(texted.values()) == {1}
    for file in fleet.files:
        assert len(file.with_suffix(".report.csv").read_text().splitlines()) == PEOPLE + 1

    async def unresolved() -> list[object]:
        async with PostgresLedger(servers.postgres.dsn()) as ledger:
            return [*await ledger.unresolved()]

    assert anyio.run(unresolved) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("script", ENGINES)
def test_every_job_is_done_once(script: str, seed: int, tmp_path: Path) -> None:
    """Workers are killed, responses are lost, jobs are delivered twice: each file is processed once."""
    with fleet_servers(seed) as servers:
        require_done_once(servers, run_fleet(script, servers, tmp_path, seed=seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("script", ENGINES)
def test_the_database_restarts(script: str, seed: int, tmp_path: Path) -> None:
    """The database is restarted twice while the fleet works: each file is processed once."""
    with fleet_servers(seed) as servers:
        require_done_once(servers, run_fleet(script, servers, tmp_path, seed=seed, restarts=2))


def test_without_keys_people_are_texted_twice(tmp_path: Path) -> None:
    """The same fleet with a job that gives no keys texts people twice: the other tests can fail."""
    jobs = min(JOBS, 30)  # A job that begins anew after each kill may use up its attempts, if there are many jobs.
    with fleet_servers(0) as servers:
        run_fleet("procrastinate_fleet.py", servers, tmp_path, seed=0, jobs=jobs, is_safe=False)
        texted = count_effects(servers.sandbox, "sms")
    assert len(texted) == jobs * PEOPLE
    assert max(texted.values()) > 1


def test_hosts_are_separate(tmp_path: Path) -> None:
    """Where this machine allows it, a host has a network of its own."""
    with hosts(tmp_path / "hosts", 1, []) as (host,):
        assert host.is_isolated == bool(isolation())
