"""The database: readable, whole, of a schema that this vlmd knows, and how large it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vlmd.core.errors import StoreError
from vlmd.doctor.findings import Finding, Setting, fail, ok, warn
from vlmd.store import reader, wholeness
from vlmd.store.schema import migrations

_LARGE = 20_000_000_000


def database(setting: Setting) -> list[Finding]:
    return [judged(setting.settings.paths.database)]


def judged(path: Path) -> Finding:
    check = "database"
    if not path.exists():
        return ok(check, f"{path} is not there yet; `vlmd run` makes it")
    try:
        with reader.snapshot(path) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("jobs", "answers")}
        wholeness.check(path)
    except StoreError as error:
        sentence, _, remedy = str(error).partition("; ")
        return fail(check, sentence, remedy)
    except sqlite3.OperationalError as error:
        return fail(
            check, f"{path} cannot be read ({error})", "run doctor as vlmd's user, and see who else uses the file"
        )
    except sqlite3.DatabaseError as error:
        return fail(check, f"{path} is damaged ({error})", wholeness.recovery(path))
    return judged_version(check, path, version, counts)


def judged_version(check: str, path: Path, version: int, counts: dict[str, int]) -> Finding:
    newest = migrations()[-1][0]
    size = path.stat().st_size
    found = f"{path}: whole, schema {version}, {size / 1e6:.1f} MB, {counts['jobs']} jobs, {counts['answers']} answers"
    if version > newest:
        return fail(check, f"{found}; this vlmd knows schema {newest}", "install the newer vlmd that wrote it")
    if version < newest:
        return ok(check, f"{found}; `vlmd run` copies it aside and brings it to schema {newest}")
    if size > _LARGE:
        return warn(check, found, "keep less ([retention] in config.toml); `vlmd gc --dry-run` says what would go")
    return ok(check, found)
