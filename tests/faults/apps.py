from django.apps import AppConfig


class FaultsConfig(AppConfig):
    name = "tests.faults"

    def ready(self) -> None:
        from progress import sse

        # Milliseconds: readers that do as they are told come back dozens of times in a test.
        sse.OPENING = sse.OPENING.replace(b"2000", b"100")
