.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check bench

python := .venv/bin/python
install := .venv/bin/uv pip install --quiet --python $(python) --require-hashes --requirement
# The suite brings its own settings: neither `.env` nor a database of the machine can change a result.
as_tests := DJANGO_SETTINGS_MODULE=tests.settings

newest_python = $(shell for python in $(or $(PYTHON),python3.13 python3.12 python3.14 python3 python); do \
  "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$python" && break; done)

help:
	@echo "make run     the site on http://127.0.0.1:8000 (PORT=9000 for another port), made ready first"
	@echo "make setup   the same without starting it: environment, dependencies, database, sample data, admin user"
	@echo "make test    every test"
	@echo "make check   formatter, linter, type checker, Django's checks, migrations"
	@echo "make bench   the figures of the docs, measured here"

run: .venv/run.stamp
	@$(python) -m agentsite.dotenv
	@$(python) manage.py serve

setup: .venv/run.stamp
	@$(python) -m agentsite.dotenv
	@$(python) manage.py setup_site

test: .venv/dev.stamp
	@$(as_tests) $(python) manage.py build_vega
	@$(python) -m tests

check: .venv/dev.stamp
	@mkdir -p var/vendor
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy .
	$(as_tests) $(python) manage.py check --fail-level WARNING
	$(as_tests) $(python) manage.py makemigrations --check
	SECRET_KEY=$$($(python) -c 'import secrets; print(secrets.token_urlsafe(50))') ALLOWED_HOSTS=example.org HTTPS=on \
	 DEBUG=off ALLOW_ANONYMOUS=off $(python) manage.py check --deploy --fail-level WARNING

bench: .venv/dev.stamp
	@$(python) -m bench

.venv/run.stamp: requirements.lock .venv/bootstrap.stamp
	@echo "Installing the locked dependencies"
	@$(install) requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/bootstrap.stamp
	@echo "Installing the locked dependencies of the tests"
	@$(install) requirements-dev.lock
	@touch $@

.venv/bootstrap.stamp: bootstrap.lock | .venv/bin/python
	@$(python) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement bootstrap.lock
	@touch $@

.venv/bin/python:
	$(if $(shell test -w . && echo yes),,$(error Cannot write to $(CURDIR): make the folder yours, or clone into another))
	$(if $(newest_python),,$(error Python 3.12 or newer with venv is needed: install one (Debian: python3 and python3-venv) or name it: make run PYTHON=/path/to/python3.12))
	@echo "Making .venv with $$($(newest_python) --version)"
	@$(newest_python) -m venv --clear .venv
