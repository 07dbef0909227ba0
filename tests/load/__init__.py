"""A site for tests and measurements under load: the site itself, with gauges, short waits and operations that misbehave."""
