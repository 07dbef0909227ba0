"""Questions asked as a batch."""

from charts.models import Chart
from charts.operations import ChartGeneration
from progress.batch import Batch

from .case import ShopCase

QUESTIONS = ["Show revenue per month", "Top 10 products by revenue", "Orders per country"]


class BatchTests(ShopCase):
    async def test_each_question_becomes_a_chart(self):
        batch = await self.finished(Batch(items=[ChartGeneration(question=question) for question in QUESTIONS]))
        assert batch.message == "3 of 3 completed"
        assert {chart.question async for chart in Chart.objects.all()} == set(QUESTIONS)
