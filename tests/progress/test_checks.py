import pytest
from django.core.checks import Error, Warning
from django.db import connection
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from progress.checks import check_durability, check_server, check_settings, check_sqlite
from progress.conf import DEFAULTS, setting


class SettingsTests(SimpleTestCase):
    def found(self, progress):
        with override_settings(PROGRESS=progress):
            return [message.id for message in check_settings()]

    def test_the_defaults_and_sensible_values_pass(self):
        for progress in ({}, DEFAULTS, {"HEARTBEAT": 5}, {"HEARTBEAT": 0.5, "ALLOW_ANONYMOUS": True}):
            assert self.found(progress) == []

    def test_it_is_a_dict(self):
        for progress in ([], "x", None):
            assert self.found(progress) == ["progress.E001"]

    def test_an_unknown_key_is_answered_with_the_known_ones(self):
        with override_settings(PROGRESS={"HEARTBEATS": 15}):
            (error,) = check_settings()
        assert (error.id, error.msg) == ("progress.E002", "PROGRESS has no setting 'HEARTBEATS'.")
        assert "HEARTBEAT, " in error.hint

    def test_numbers_and_switches(self):
        for key, value in [
            ("HEARTBEAT", 0),
            ("POLL", -1),
            ("LEASE", "20"),
            ("RUN_EVENTS", True),
            ("EVENT_BYTES", None),
        ]:
            assert self.found({key: value}) == ["progress.E003"], key
        for value in (1, "yes", None):
            assert self.found({"ALLOW_ANONYMOUS": value}) == ["progress.E003"]
        assert self.found({"POLL": float("nan")}) == ["progress.E003"]

    def test_a_lease_outlives_a_late_renewal(self):
        assert self.found({"LEASE": 9, "LEASE_RENEW": 5}) == ["progress.E004"]
        assert self.found({"LEASE": 10, "LEASE_RENEW": 5}) == []
        assert self.found({"LEASE": 3}) == ["progress.E004"]

    def test_an_event_holds_a_piece_of_text(self):
        assert self.found({"EVENT_BYTES": 8_000}) == ["progress.E005"]

    def test_hooks_are_dotted_paths_of_plain_functions(self):
        here = "tests.progress.test_hooks"
        for paths, expected in [
            ([f"{here}.watch", f"{here}.redact"], []),
            (f"{here}.watch", ["progress.E006"]),
            ([len], ["progress.E006"]),
            ([f"{here}.nowhere", "nowhere.at_all", f"{here}.seen"], ["progress.E006"] * 3),
            ([f"{here}.asynchronous"], ["progress.E007"]),
        ]:
            assert self.found({"HOOKS": paths}) == expected

    def test_every_mistake_is_named_at_once(self):
        assert self.found({"A": 1, "POLL": 0, "LEASE": 0}) == ["progress.E002", "progress.E003", "progress.E003"]

    def test_a_setting_falls_back_on_its_default(self):
        with override_settings(PROGRESS={"POLL": 7}):
            assert (setting("POLL"), setting("HEARTBEAT")) == (7, 15.0)
        with pytest.raises(KeyError):
            setting("POLLS")


class ServerTests(SimpleTestCase):
    def test_streams_need_asgi(self):
        with override_settings(ASGI_APPLICATION="site.asgi.application"):
            assert check_server() == []
        with override_settings(ASGI_APPLICATION=None):
            (warning,) = check_server()
        assert (type(warning), warning.id) == (Warning, "progress.W001")


class DatabaseTests(SimpleTestCase):
    def setUp(self):
        if connection.vendor != "sqlite":
            self.skipTest("says something about SQLite")
        self.options = connection.settings_dict["OPTIONS"]
        self.addCleanup(self.options.update, dict(self.options))

    def test_sqlite_takes_its_write_lock_at_once(self):
        assert check_sqlite() == []
        for mode in ("DEFERRED", None):
            self.options["transaction_mode"] = mode
            assert [message.id for message in check_sqlite()] == ["progress.W002"]
        del self.options["transaction_mode"]
        (warning,) = check_sqlite()
        assert not isinstance(warning, Error)
        assert '"transaction_mode": "IMMEDIATE"' in warning.hint


class DurabilityTests(TransactionTestCase):
    def found(self):
        return [message.id for message in check_durability(databases=["default"])]

    def test_settings_that_could_lose_a_commit_are_told(self):
        weaker = {"sqlite": "PRAGMA synchronous = NORMAL", "postgresql": "SET synchronous_commit = off"}
        usual = {"sqlite": "PRAGMA synchronous = FULL", "postgresql": "SET synchronous_commit = on"}
        assert self.found() == []
        with connection.cursor() as cursor:
            try:
                cursor.execute(weaker[connection.vendor])
                assert self.found() == ["progress.W003"]
            finally:
                cursor.execute(usual[connection.vendor])

    def test_the_database_is_asked_only_by_checks_of_databases(self):
        assert check_durability() == []
