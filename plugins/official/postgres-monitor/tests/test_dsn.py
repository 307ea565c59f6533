"""Connection strings are read as libpq reads them, and nothing of them is shown."""

from __future__ import annotations

import pytest

from postgres_monitor.dsn import Dsn, DsnError

READ = {
    "postgresql://ann@db": Dsn("ann", host="db", dbname="ann"),
    "postgres://ann:p%40ss%2F@db:5433/app?sslmode=require": Dsn(
        "ann", host="db", port=5433, dbname="app", password="p@ss/", sslmode="require"
    ),
    "postgresql://ann@[::1]:5433/app": Dsn("ann", host="::1", port=5433, dbname="app"),
    "postgresql://ann@%2Frun%2Fpostgresql/app": Dsn("ann", host="/run/postgresql", dbname="app"),
    "postgresql:///app?host=/run/postgresql&user=ann": Dsn("ann", host="/run/postgresql", dbname="app"),
    "postgresql://ann@db/app?ssl=true&connect_timeout=2": Dsn("ann", host="db", dbname="app", sslmode="require"),
    "postgresql://ann@/": Dsn("ann", host="localhost", dbname="ann"),
    "user=ann": Dsn("ann", host="localhost", dbname="ann"),
    "user=ann host = db  port=5433 dbname='my app'": Dsn("ann", host="db", port=5433, dbname="my app"),
    r"user=ann password='it\'s a \\ '": Dsn("ann", dbname="ann", password="it's a \\ "),
    r"user=ann password=it\'s\ one": Dsn("ann", dbname="ann", password="it's one"),
    "user=ann hostaddr=10.0.0.7": Dsn("ann", host="10.0.0.7", hostaddr="10.0.0.7", dbname="ann"),
    "user=ann password=''": Dsn("ann", dbname="ann"),
    "user=ann sslmode=verify-ca sslrootcert=/ca.crt": Dsn(
        "ann", dbname="ann", sslmode="verify-ca", sslrootcert="/ca.crt"
    ),
}

WRONG = {
    "hunter2": "is neither",
    "user=ann password='hunter2": "is neither",
    "user=ann password=hunter2'": "is neither",
    "postgresql://ann:hunter2/@db": "is neither",
    "postgresql://ann:hunter%2@db": "is neither",
    "postgresql://ann:hunter2%ff@db": "is neither",
    "postgresql://ann:hunter2@db:port": "is neither",
    "postgresql://ann@one,two/": "is neither",
    "postgresql://ann@one?hunter2": "is neither",
    "mysql://ann:hunter2@db": "is neither",
    "user=ann host=one,two": "names several hosts",
    "user=ann port=70000": "has a port that is none",
    "user=ann port=0": "has a port that is none",
    "host=db": "names no user",
    "user=ann sslmode=tls": "has an sslmode that is none of",
    "user=ann sslmode=verify-full": "needs sslrootcert",
    "user=ann sslmode=require sslrootcert=system": "needs sslmode=verify-full",
    "user=ann sslcert=/a": "one of sslcert and sslkey",
    "user=ann service=x": "has service, which is not known here",
    "user=ann channel_binding=require": "has channel_binding, which is not known here",
}


@pytest.mark.parametrize("text", READ)
def test_a_connection_string_is_read_as_libpq_reads_it(text: str) -> None:
    assert Dsn.read(text) == READ[text]


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_one_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(DsnError) as refusal:
        Dsn.read(text)
    assert WRONG[text] in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
