"""Faults on purpose, and the checker that decides whether the promises held. `docs/design.md` says how to replay a seed."""
