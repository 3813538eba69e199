"""migrate: from any older schema to the newest; a SQLite file only while no service runs."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from router.cli.app import cli
from router.core.errors import OperatorError, SettingsInvalid
from router.store.migrations import migrations as migrations_of
from router.store.sqlite.connection import connect_writer
from router.store.sqlite.lock import FileLock
from router.store.sqlite.schema import migrations

if TYPE_CHECKING:
    from router.core.database import DatabaseUrl

NEWEST = migrations()[-1][0]


def migrate(path: Path) -> Result:
    return CliRunner().invoke(cli, ["migrate"], env={"ROUTER_DATABASE_URL": f"sqlite:///{path}"})


def write_schema(path: Path, version: int) -> None:
    connection = connect_writer(path)
    for number, sql in migrations():
        if number <= version:
            connection.executescript(sql)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def schema_of(path: Path) -> int:
    connection = connect_writer(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "router.db"


def test_a_database_that_is_not_there_is_made_for_this_user_only(database: Path) -> None:
    done = migrate(database)
    assert (done.exit_code, done.stdout) == (0, f"{database}: made, with schema {NEWEST}\n")
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert schema_of(database) == NEWEST


def test_an_older_database_is_brought_to_the_newest_schema_once(database: Path) -> None:
    write_schema(database, 1)
    assert migrate(database).stdout == f"{database}: from schema 1 to {NEWEST}\n"
    assert schema_of(database) == NEWEST
    assert migrate(database).stdout == (
        f"{database}: schema {NEWEST} is the newest, nothing to do\n"
    )
    assert not list(database.parent.glob("*-wal"))


def test_a_database_that_a_service_uses_is_left_alone(database: Path) -> None:
    write_schema(database, 1)
    lock = FileLock(Path(f"{database}.lock"))
    refused = migrate(database)
    assert isinstance(refused.exception, OperatorError)
    assert "another flux-router uses this database" in str(refused.exception)
    assert schema_of(database) == 1
    lock.release()
    assert migrate(database).exit_code == 0


def test_a_database_of_a_newer_version_is_refused(database: Path) -> None:
    write_schema(database, NEWEST)
    connection = connect_writer(database)
    connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    connection.close()
    assert f"has schema {NEWEST + 1}" in str(migrate(database).exception)


def test_what_is_no_database_is_refused(database: Path) -> None:
    database.write_text("not a database, but long enough to be looked at as one" * 20)
    assert isinstance(migrate(database).exception, OperatorError)
    assert isinstance(migrate(database.parent).exception, OperatorError)


def test_settings_that_are_wrong_are_told() -> None:
    wrong = CliRunner().invoke(cli, ["migrate"], env={"ROUTER_DATABASE_URL": "mysql://x"})
    assert isinstance(wrong.exception, SettingsInvalid)


def test_a_postgres_database_is_migrated_by_its_url(new_schema: DatabaseUrl) -> None:
    newest, _ = migrations_of("postgres")[-1]
    for told in (f"made, with schema {newest}", f"schema {newest} is the newest, nothing to do"):
        done = CliRunner().invoke(cli, ["migrate"], env={"ROUTER_DATABASE_URL": new_schema.text})
        assert (done.exit_code, done.stdout) == (0, f"{new_schema}: {told}\n")
