"""Include under the prefix of your API: path("api/", include("progress.urls"))."""

from django.urls import path

from . import api, batch_api

app_name = "progress"
urlpatterns = [
    path("runs", api.runs_endpoint, name="runs"),
    path("runs/<uuid:pk>", api.run_endpoint, name="run"),
    path("runs/<uuid:pk>/events", api.events_endpoint, name="run-events"),
    path("runs/<uuid:pk>/cancel", api.cancel_endpoint, name="run-cancel"),
    path("runs/<uuid:pk>/retry", api.retry_endpoint, name="run-retry"),
    path("batches", batch_api.batches_endpoint, name="batches"),
    path("events", api.many_events_endpoint, name="events"),
    path("operations", api.operations_endpoint, name="operations"),
]
