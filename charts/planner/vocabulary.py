"""The planner's own English: what phrases ask for. Phrases are parted by commas; a line break counts as a blank."""

from __future__ import annotations

from ..plan import Aggregate, ChartType, Grain
from .text import word_set

A, C, G = Aggregate, ChartType, Grain


def phrases(text: str) -> list[tuple[str, ...]]:
    """Split a text of phrases at commas, and the phrases into words."""
    return [tuple(phrase.split()) for phrase in text.split(",") if phrase.strip()]


CHARTS: dict[ChartType, str] = {
    C.STACKED_BAR: """
    stacked bar chart, stacked bar graph, stacked bar plot, stacked bar, stacked bars, stacked column chart, grouped
    bar chart, grouped bar graph, grouping bar chart, stacked column, stack bar chart, stacked barchart
    """,
    C.GROUPING_LINE: """
    grouping line chart, grouped line chart, multi line chart, multi series line chart, grouping line graph, grouped
    line graph, multiple line chart, multi line graph, grouping line, grouped line
    """,
    C.GROUPING_SCATTER: """
    grouping scatter chart, grouped scatter chart, grouping scatter plot, grouped scatter plot, grouping scatterplot,
    grouped scatterplot, grouping scatter, grouped scatter, grouped scatter graph, grouping scatter graph, colored
    scatter plot, coloured scatter plot
    """,
    C.BAR: """
    bar chart, bar graph, bar plot, bar diagram, barchart, bargraph, barplot, bars, column chart, column graph, column
    diagram, vertical bar chart, horizontal bar chart, horizontal bars, bar charts, bar graphs
    """,
    C.HISTOGRAM: "histogram, histogram chart, histograms",
    C.PIE: """
    pie chart, pie graph, pie, pie plot, pie diagram, donut chart, doughnut chart, donut, doughnut, ring chart
    """,
    C.LINE: """
    line chart, line graph, line plot, line diagram, linechart, curve, trend line, trendline, line charts, time series
    chart
    """,
    C.SCATTER: """
    scatter chart, scatter plot, scatterplot, scatter graph, scatter diagram, scatter, dot plot, point chart
    """,
    C.AREA: "area chart, area graph, area plot, filled line chart",
    C.TABLE: "table, data table, plain table",
}

AFTER_AS = {
    "line": C.LINE, "lines": C.LINE, "bar": C.BAR, "area": C.AREA, "list": C.TABLE, "points": C.SCATTER, "number": C.NUMBER,
}  # fmt: skip


AGGREGATES: dict[Aggregate, str] = {
    A.COUNT_DISTINCT: """
    number of different, number of distinct, number of unique, how many different, how many distinct, how many unique,
    count of distinct, count of different, count of unique, count distinct, count different, distinct count of, total
    number of different, total number of distinct, amount of different, different number of, number of the different
    """,
    A.COUNT: """
    number of, how many, count of, count, counts, total number of, total count of, total count, amount of, number of
    all, quantity of, frequency of, frequency, frequencies of, how often, # of, #, no of, numbers of, total number,
    total numbers, volume of, quantities of, tally of, tally, number of the, how many of the, how many times,
    occurrences of, total quantity of, a count of, nr of, nb of, num of, head count of, overall count of, overall
    number of, corresponding count of, number, corresponding number of, cumulative count of, respective number of,
    counting, quantify
    """,
    A.SUM: """
    total, sum of, sum, total of, total value of, total sum of, overall, combined, cumulative, in total, summed,
    totals, accumulated, how much, aggregate, total sum, sums of, cumulative value of, cumulative sum of, altogether,
    sum total of, grand total of
    """,
    A.AVERAGE: """
    average, mean, avg, average of, mean of, avg of, averages, on average, averaged, average value of, mean value of,
    average number of, average amount of, the average of the, typical, typically, in average, per average, means of
    """,
    A.MINIMUM: """
    minimum, min, minimal, minimum of, lowest, least, smallest, min of, minimum value of, fewest, lowest value of,
    minimal value of
    """,
    A.MAXIMUM: """
    maximum, max, maximal, maximum of, highest, greatest, largest, biggest, max of, maximum value of, peak, most,
    highest value of, maximal value of
    """,
}

# Adjective -> the words of what it measures, and whether most comes first
SUPERLATIVES: dict[str, tuple[str, bool]] = {
    "expensive": ("price cost", True),
    "costly": ("price cost", True),
    "cheapest": ("price cost", False),
    "oldest": ("age", True),
    "youngest": ("age", False),
    "longest": ("length duration distance time", True),
    "shortest": ("length duration distance height", False),
    "tallest": ("height", True),
    "heaviest": ("weight", True),
    "lightest": ("weight", False),
    "fastest": ("speed", True),
    "slowest": ("speed", False),
    "richest": ("money worth income", True),
    "best selling": ("revenue quantity", True),
    "bestselling": ("revenue quantity", True),
    "top selling": ("revenue quantity", True),
    "worst selling": ("revenue quantity", False),
    "most profitable": ("profit", True),
    "selling": ("revenue quantity", True),
    "strongest": ("revenue", True),
    "selling best": ("revenue quantity", True),
    "selling most": ("revenue quantity", True),
    "poorest": ("money worth income", False),
    "bestseller": ("revenue quantity", True),
    "populated": ("population", True),
    "populous": ("population", True),
}

FIRST_IS_MOST = """
    most popular, most important, top, best, highest, largest, biggest, greatest, most, leading, strongest, busiest,
    main, maximum, max
    """

FIRST_IS_LEAST = """
    least popular, least important, bottom, worst, lowest, smallest, least, fewest, weakest, minimum, min
    """


GRAINS: dict[Grain, str] = {
    G.WEEKDAY: """
    weekday, weekdays, day of the week, day of week, days of the week, week day, day of a week, week days
    """,
    G.MONTH_OF_YEAR: "month of the year, month of year, calendar month, months of the year",
    G.HOUR: "hour, hours, hourly",
    G.DAY: "day, daily, days, day by day, calendar day",
    G.WEEK: "week, weekly, weeks, week by week, calendar week",
    G.MONTH: "month, monthly, months, month by month, mth, mnth, months time, calendar months",
    G.QUARTER: "quarter, quarterly, quarters, qtr, quarter by quarter",
    G.YEAR: "year, yearly, years, annual, annually, year by year, yr, calendar year, annum, yrs",
}

OVER_TIME = """
    over time, trend, trends, trend of, development, evolution, evolve, evolved, over the years, over the months, over
    the weeks, over the days, through time, across time, over the course of time, time series, timeline, by date, by
    time, through the years, progression, over the period, changed over time, change over time, throughout the years,
    developed, change over
    """

GROUPING = """
    by, per, for each, for every, in each, in every, of each, of every, each, every, from each, from every, at each,
    to each, across, grouped by, group by, grouping by, broken down by, break down by, breakdown by, split by, split
    up by, splitted by, split into, divided by, categorized by, categorised by, categorizing by, classified by,
    according to, depending on, with respect to, within each, by each, by every, segmented by, separated by, for
    different, for all the different, in different, of different, from different, by different, different, various,
    distinct, unique, with each, on each, under each, based on, sliced by, arranged by each, having each, colored by,
    coloured by, color by, for various, of various, in various, from various, across different, and group by, and
    split by, grouped into, organized by, organised by, by the attribute, attribute, bin by, binned by, binning by,
    broken out by, broken into, stacked by, breakdown of, breaking down by, per each, as per, all the different, all
    different, all the possible, all possible, diverse, for the different, of the different, among different, by
    individual, individual, cut by, cut per, down by, up by, separately for, respective
    """

DISTRIBUTION = """
    distribution of, distribution, distributed, spread of, breakdown of, composition of, make up of, distributions of,
    split of, mix of
    """

SHARES = """
    share of, share, shares of, percentage of, percentage, percent of, percent, proportion of, proportions of,
    proportion, what part of, what fraction of, fraction of, what share of, what percentage of, relative share of,
    relative, pct of, pct, percentage share of, percentages of, percentage breakdown of, shares, percentages,
    proportions, which share of, split in percent, percentwise, percentage wise, in percent, as a percentage of, as
    percentage of
    """

AGAINST = "against, versus, vs"

RELATION = """
    relationship between, relation between, correlation between, correlation of, relationship of, correlation,
    relationship, relation of, relate to, related to, depend on, depends on, affect, affects, influence, influences,
    association between, correlate with, correlates with, correlated with, dependence of, dependency of, connection
    between, correlate, correlated, relate, interplay of, interplay between, link between, impact of, effect of,
    influence of, go together, hang together
    """

COMPARING = """
    compare, comparing, comparison of, comparison, compared, comparison between, side by side, contrast, contrasting
    """

NEGATIONS = """
    without, without any, never, not, no, have no, has no, with no, not have, none, lacking, neither, except,
    excluding, other than, except for, not any, do not have, does not have, do not have any, not have any, that have
    no, not in, missing, apart from, nothing, nobody, not yet, yet to be, still not, not been, excluded, ignoring,
    ignore
    """

EXCLUDING = ("except", "excluding", "other than", "except for", "not in", "apart from", "ignoring", "ignore")


OPERATORS: dict[str, str] = {
    ">": """
    more than, over, above, greater than, larger than, higher than, bigger than, exceeding, exceed, exceeds, older
    than, longer than, >, upwards of, later than, in excess of, beyond, better than, heavier than, taller than, more
    expensive than, surpassing, past, costlier than, is above, is over, bigger then, more then
    """,
    ">=": """
    at least, minimum of, no less than, not less than, >=, or more, and more, and above, or above, no fewer than, not
    fewer than, greater than or equal to, from at least, and over, at minimum, equal to or greater than
    """,
    "<": """
    less than, under, below, fewer than, smaller than, lower than, younger than, shorter than, <, earlier than,
    cheaper than, lighter than, less then, fewer then
    """,
    "<=": """
    at most, maximum of, no more than, not more than, <=, up to, or less, or fewer, and below, or below, less than or
    equal to, and under, equal to or less than
    """,
    "=": "exactly, equal to, equals, =, precisely, equal",
    "!=": """
    not equal to, is not, are not, different from, !=, <>, does not equal, not equal, other than, do not equal, was
    not, were not
    """,
    "between": "between, in the range of, in the range from, ranging from, in between, within the range of",
    "contains": """
    contains, containing, contain, includes the word, include the word, with the word, has the word, contains the
    word, includes, including the word, containing the word, include the substring, contains the substring, with the
    substring
    """,
    "starts": "starts with, start with, starting with, begins with, begin with, beginning with",
    "ends": "ends with, end with, ending with, ending in, ends in",
}

SUFFIX_OPERATORS = (
    "or more", "and more", "and above", "or above", "or less", "or fewer", "and below", "or below", "and over", "and under",
)  # fmt: skip

ASCENDING = """
    ascending, asc, ascend, low to high, lowest to highest, smallest to largest, least to most, increasing, a to z,
    alphabetical, alphabetically, alphabetic, lexicographical, lexicographic, lexicographically, ascending
    alphabetical, small to large, least to greatest, oldest to newest, oldest to most recent, oldest to most recently,
    earliest to latest, chronological, chronologically, small to big, smallest first, lowest first, smallest to
    biggest, bottom to top, rising, low to the high, fewest first, oldest first, earliest first, from the lowest,
    worst to best, a z, upward, upwards, from the bottom, in the order of their date
    """

DESCENDING = """
    descending, desc, descend, high to low, highest to lowest, largest to smallest, most to least, decreasing, z to a,
    large to small, greatest to least, newest to oldest, most recent to oldest, latest to earliest, reverse
    alphabetical, reverse alphabetically, reversed lexicographical, reverse lexicographical, descending alphabetical,
    reversed alphabetical, reverse, big to small, biggest to smallest, largest first, highest first, best first, top
    to bottom, falling, high to the low, most first, biggest first, newest first, latest first, most recent first,
    from the highest, from the most, best to worst, most recent one, downward, from most, strongest first, reverse
    order, reversed, greatest first, from the top, from the biggest, from the largest
    """

EMPTY = "is empty, is null, is blank, is missing, are empty, are missing, is unknown, are null, was empty, empty"

DURATIONS = "how long, how many days, number of days, days it takes, days does it take, how much time"

STRONG_ORDER_VERBS = word_set(
    "sort sorted sorting order ordered ordering rank ranked ranking arrange arranged arranging"
)
ORDER_VERBS = STRONG_ORDER_VERBS | word_set(
    "organize organized organise organised list listed display displayed show shown showing sequence sequenced put"
)
