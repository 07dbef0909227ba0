"""Include under the prefix of your API: path("api/", include("charts.urls"))."""

from django.urls import path

from . import api

app_name = "charts"
urlpatterns = [
    path("sources", api.sources_endpoint, name="sources"),
    path("sources/<slug:slug>/schema", api.schema_endpoint, name="source-schema"),
    path("charts", api.charts_endpoint, name="charts"),
    path("charts/<uuid:pk>", api.chart_endpoint, name="chart"),
    path("charts/<uuid:pk>.json", api.chart_endpoint, name="chart-json"),
    path("charts/<uuid:pk>.png", api.png_endpoint, name="chart-png"),
    path("charts/<uuid:pk>.svg", api.svg_endpoint, name="chart-svg"),
    path("charts/<uuid:pk>.csv", api.csv_endpoint, name="chart-csv"),
]
