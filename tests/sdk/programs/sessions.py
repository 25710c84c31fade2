"""Connectors, logins, tokens and the ends of sessions."""

import threading
import time

from aperturedb.Configuration import Configuration
from aperturedb.Connector import Connector
from aperturedb.ConnectorRest import ConnectorRest

from world import NEW, PASSWORD, World, refuses, where

STATUS = [{"GetStatus": {}}]


def program_login(world: World):
    (status,), blobs = world.ask(STATUS)
    assert status["system"] == "adb" and blobs == []
    assert world.db.last_query_ok()
    refuses(lambda: world.connect(password="wrong").query(STATUS), "wrong")
    refuses(lambda: world.connect(user="nobody").query(STATUS), "wrong")


def program_transports_that_do_not_fit(world: World):
    if world.transport == "tcp":
        refuses(lambda: Connector(
            host="127.0.0.1", port=world.served.port, user="admin", password=PASSWORD,
            use_ssl=True, verify_hostname=False, retry_max_attempts=1,
            retry_interval_seconds=0).query(STATUS))
    if world.transport == "tls":
        refuses(lambda: Connector(
            host="127.0.0.1", port=world.served.port, user="admin", password=PASSWORD,
            use_ssl=False, retry_max_attempts=1, retry_interval_seconds=0).query(STATUS))
        # Nobody vouches for the certificate unless the client is given it.
        refuses(lambda: Connector(
            host="localhost", port=world.served.port, user="admin", password=PASSWORD,
            retry_max_attempts=1, retry_interval_seconds=0).query(STATUS))
        unverified = Connector(host="127.0.0.1", port=world.served.port, user="admin",
                               password=PASSWORD, verify_hostname=False)
        world.ask(STATUS, db=unverified)


def program_clones_share_a_session(world: World):
    clone = world.db.clone()
    world.ask(STATUS, db=clone)
    assert clone.shared_data is world.db.shared_data
    errors = []

    def work(n):
        try:
            own = world.db.clone()
            for i in range(10):
                world.ask([{"AddEntity": {"class": "Work", "properties": {"n": n, "i": i}}}],
                          db=own)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert world.count("Entity", with_class="Work") == 80


def program_a_session_is_renewed(world: World):
    db = world.connect()
    world.ask(STATUS, db=db)
    before = db.shared_data.session.session_token
    db.shared_data.session.session_token_ttl = 1
    time.sleep(1.1)
    world.ask(STATUS, db=db)
    assert db.shared_data.session.session_token != before


def program_sessions_that_are_short(world: World):
    with world.another_server("--session", "11") as short:
        for _ in range(3):
            short.ask(STATUS)
            time.sleep(0.6)


def program_a_session_outlives_a_restart(world: World):
    with world.another_server() as own:
        own.ask([{"AddEntity": {"class": "Kept", "properties": {"n": 1}}}])
        token = own.db.shared_data.session.session_token
        own.served.restart()
        (found,), _ = own.ask([{"FindEntity": {"with_class": "Kept", "results": {"list": ["n"]}}}])
        assert found["entities"] == [{"n": 1}]
        assert own.db.shared_data.session.session_token == token


def program_tokens(world: World):
    token = world.utils.generate_token()
    assert token.startswith("adbp_")
    world.utils.assign_token("admin", token)
    by_token = world.connect(password="", token=token)
    world.ask(STATUS, db=by_token)
    world.utils.remove_token("admin", token)
    refuses(lambda: world.connect(password="", token=token).query(STATUS), "wrong")
    # Sessions that began with a password go on: the older SDK could not log in again by itself.
    world.ask(STATUS)


def program_readers_and_their_end(world: World):
    told = world.served.user("add", "reader-1", "--role", "reader")
    db = world.connect(user="reader-1", password=told.strip().split(": ", 1)[1])
    try:
        world.ask([{"FindEntity": {"results": {"count": True}}}], db=db)
        assert "reader" in world.refused([{"AddEntity": {"class": "A"}}], db=db)
    finally:
        world.served.user("rm", "reader-1")
    try:
        answer, _ = db.query(STATUS)
    except Exception:
        return  # 0.5 tries to log in again, and says why it can't
    assert answer["code"] == "unauthenticated", answer


def program_keys_and_configurations(world: World):
    rest = world.transport.startswith("rest")
    tls = world.transport in ("tls", "rest-tls")
    configuration = Configuration(
        host="localhost" if tls else "127.0.0.1",
        port=world.served.rest_port if rest else world.served.port, username="admin",
        password=PASSWORD, name="here", use_ssl=tls, use_rest=rest,
        ca_cert=world.served.certificate if tls else None)
    kind = ConnectorRest if rest else Connector
    # With a configuration the port of REST comes from it; with a key the SDK takes none over REST.
    world.ask(STATUS, db=kind(config=configuration) if not rest
              else kind(config=configuration, port=configuration.port))
    key = configuration.deflate()
    assert Configuration.reinflate(key).host == configuration.host
    world.ask(STATUS, db=kind(key=key) if not rest else kind(key=key, port=configuration.port))


def program_connection_pool(world: World):
    if not NEW:
        return  # it came with 0.5
    from aperturedb.ConnectionPool import ConnectionPool
    pool = ConnectionPool(pool_size=3, connection_factory=world.connect)
    assert (pool.total(), pool.available()) == (3, 3)
    answers, errors = [], []

    def work(n):
        try:
            with pool.get_connection(timeout=30) as db:
                world.ask([{"AddEntity": {"class": "Pooled", "properties": {"n": n}}}], db=db)
            answers.append(pool.query(STATUS)[0])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(answers) == 12, errors
    assert all(answer[0]["GetStatus"]["status"] == 0 for answer in answers)
    assert world.count("Entity", with_class="Pooled") == 12
    pool.close()


def program_a_bad_request_costs_an_answer(world: World):
    """The connection stays, and nothing of the request was done."""
    for bad in [
        [{"NoSuchCommand": {}}],
        [{"AddEntity": {"class": "A"}}, {"AddEntity": {"clas": "A"}}],
        [{"AddEntity": {"class": "A"}}, {"FindEntity": {"is_connected_to": {"ref": 7}}}],
        [{"AddEntity": {"class": "A"}}, {"AddImage": {}}],
    ]:
        world.refused(bad)
    assert world.count("Entity") == 0
    world.ask([{"FindEntity": {"constraints": where("n", "==", 1), "results": {"count": True}}}])
