"""The door: `make` and the commands behind it, as somebody who just cloned the project meets them."""

import io
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from agentsite import dotenv
from agentsite.management.commands.serve import listen, port_of_environment
from tests.services import ROOT, running_site


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    # Nothing of the make that runs these tests may reach the one under test.
    environment = os.environ | {"MAKEFLAGS": "", "MAKELEVEL": "0"} | environment
    return subprocess.run(["make", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


LOCKS = ["requirements.lock", "requirements-dev.lock"]


class TestMake:
    def test_without_a_target_lists_the_targets(self):
        output = make().stdout
        assert [line.split()[1] for line in output.splitlines()] == ["run", "setup", "test", "check", "bench"]

    @pytest.mark.parametrize("arguments", [["run", "PYTHON=false"], ["run", "PYTHON=/no/such/python"]])
    def test_a_wrong_python_is_one_line(self, tmp_path, arguments):
        shutil.copy(ROOT / "Makefile", tmp_path)
        (tmp_path / "requirements.lock").touch()
        (tmp_path / "bootstrap.lock").touch()
        answer = make(*arguments, cwd=tmp_path)
        assert answer.returncode == 2
        assert answer.stderr.count("\n") == 1
        assert "Python 3.12 or newer" in answer.stderr
        assert not (tmp_path / ".venv").exists()

    @pytest.mark.skipif(not (ROOT / ".venv/run.stamp").exists(), reason="installed by other means than make")
    def test_installs_nothing_while_the_locks_stay_the_same(self):
        assert make("--question", ".venv/run.stamp").returncode == 0

    def test_the_lock_of_the_tests_agrees_with_the_lock_of_the_site(self):
        pins = [set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(), re.M)) for name in LOCKS]
        assert pins[0]
        assert pins[0] <= pins[1]


class TestDotenv:
    @pytest.fixture(autouse=True)
    def without_a_key(self, monkeypatch):
        monkeypatch.delenv("SECRET_KEY")

    def test_writes_a_random_key_for_its_owner_alone(self, tmp_path):
        first, second = tmp_path / "first", tmp_path / "second"
        assert dotenv.complete(first)
        assert dotenv.complete(second)
        assert first.read_text() != second.read_text()
        assert first.stat().st_mode & 0o777 == 0o600
        assert re.fullmatch(r"SECRET_KEY=[\w-]{60,}\nALLOW_ANONYMOUS=on\n", first.read_text())

    def test_writes_once(self, tmp_path):
        path = tmp_path / ".env"
        dotenv.complete(path)
        before = path.read_text()
        assert not dotenv.complete(path)
        assert path.read_text() == before

    def test_keeps_what_is_there(self, tmp_path):
        path = tmp_path / ".env"
        path.write_text("PORT=9000\nALLOW_ANONYMOUS=off")
        dotenv.complete(path)
        assert re.fullmatch(r"PORT=9000\nALLOW_ANONYMOUS=off\nSECRET_KEY=[\w-]+\n", path.read_text())

    def test_leaves_a_key_of_the_environment_alone(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "given")
        assert not dotenv.complete(tmp_path / ".env")
        assert not (tmp_path / ".env").exists()


class TestPort:
    def test_is_8000_unless_said_otherwise(self, monkeypatch):
        monkeypatch.delenv("PORT", raising=False)
        assert port_of_environment() == 8000
        monkeypatch.setenv("PORT", "9000")
        assert port_of_environment() == 9000

    @pytest.mark.parametrize("text", ["http", "-1", "70000", "80.5", ""])
    def test_must_be_a_port(self, monkeypatch, text):
        monkeypatch.setenv("PORT", text)
        with pytest.raises(CommandError, match=rf"PORT={text} is not a port"):
            port_of_environment()

    def test_taken_says_what_to_do(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(CommandError, match=f"Port {port} is taken: .* make run PORT={port + 1}"):
                listen(port)


@pytest.mark.django_db(transaction=True)
class TestSetup:
    @pytest.fixture(autouse=True)
    def own_folder(self, settings, tmp_path):
        settings.VAR_DIR = tmp_path / "var"

    def run(self) -> str:
        output = io.StringIO()
        call_command("setup_site", stdout=output)
        return output.getvalue()

    def test_prints_a_password_that_works_and_only_once(self, client, settings):
        password = re.search(r"^Admin user +admin, password (\S+) ", self.run(), re.M)[1]
        assert client.login(username="admin", password=password)
        assert self.run() == ""

    def test_keeps_the_data(self, settings):
        self.run()
        before = {path: path.stat().st_mtime_ns for path in settings.VAR_DIR.rglob("*")}
        assert settings.VAR_DIR / "sample.sqlite3" in before
        self.run()
        assert {path: path.stat().st_mtime_ns for path in settings.VAR_DIR.rglob("*")} == before

    def test_makes_no_second_admin(self, django_user_model):
        django_user_model.objects.create_superuser("boss", password="something long")
        assert "Admin user" not in self.run()

    def test_a_folder_that_cannot_be_written_is_one_line(self, settings):
        settings.VAR_DIR.write_text("a file is in the way")
        with pytest.raises(
            CommandError, match=rf"^Cannot write to {settings.VAR_DIR} \(.*\): make the folder yours\.$"
        ):
            self.run()


class TestServe:
    """A real server, started as `make run` starts it."""

    def test_serves_pages_files_and_streams_until_ctrl_c(self, tmp_path):
        with running_site(f"sqlite:///{tmp_path}/site.sqlite3") as site:
            with httpx.Client(base_url=site.address, timeout=30) as browser:
                assert browser.get("/").status_code == 200
                assert browser.get("/static/admin/css/base.css").headers["content-type"].startswith("text/css")
                assert browser.get("/static/vendor/vega.js").status_code == 200
            self.try_the_lines_of_the_docs(site.address)
            body = {"operation": "demo", "params": {"seconds": 60}, "stream": True}
            with httpx.stream("POST", f"{site.address}/api/runs", json=body, timeout=30) as stream:
                next(stream.iter_lines())
                assert site.interrupt() == 0
            assert site.errors() == ""

    def try_the_lines_of_the_docs(self, address):
        """Run what the README and docs/api.md tell the reader to type."""
        for page in ["README.md", "docs/api.md"]:
            line = re.search(r"^curl (?:.|\n)*?(?=\n```)", (ROOT / page).read_text(), re.M)[0]
            line = line.replace("http://127.0.0.1:8000", address)
            answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60).stdout
            assert '"type":"done"' in answer or '"status": "completed"' in answer
