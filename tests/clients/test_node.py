"""The clients that the suite drives are those that the lock names."""

import json

from tests.clients.node import FOLDER

VERSIONS = """
import { readFileSync } from "node:fs";
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
await import("@ag-ui/client");
await import("ai");
console.log(JSON.stringify({ "@ag-ui/client": version("@ag-ui/client"), ai: version("ai") }));
"""


def test_a_script_finds_the_published_clients(node):
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert node.run(VERSIONS) == wanted


def test_the_lock_names_no_address():
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert not any("resolved" in package for package in lock["packages"].values())
    assert all("integrity" in package for path, package in lock["packages"].items() if path)
