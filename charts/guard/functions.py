"""The functions that a query may call, by dialect: none that writes, waits, or reads files, settings or sessions."""

from __future__ import annotations

_EVERYWHERE = """
abs acos asin atan atan2 avg ceil ceiling coalesce concat concat_ws cos count cume_dist date degrees dense_rank exp
first_value floor greatest grouping lag last_value lead least length ln log log10 lower ltrim max min mod nth_value
ntile nullif octet_length percent_rank pi power radians random rank replace round row_number rtrim sign sin sqrt
string_agg substr substring sum tan trim trunc upper
"""
# Not json_group_array and json_group_object: they grow until memory ends, as no limit of SQLite's holds for them.
_SQLITE = """
-> ->> char current_date current_time current_timestamp datetime format glob group_concat hex ifnull if iif instr json
json_array json_array_length json_each json_extract json_object json_patch json_quote json_tree json_type json_valid
julianday like likelihood likely log2 median percentile percentile_cont percentile_disc pow printf quote soundex
strftime time timediff total typeof unhex unicode unixepoch unlikely
"""
_STATISTICS = """
array_agg bool_and bool_or corr covar_pop covar_samp mode regr_intercept regr_r2 regr_slope stddev stddev_pop
stddev_samp var_pop var_samp variance
"""
_POSTGRES = """
age any_value array array_length array_position array_remove array_to_string btrim cardinality cbrt char_length
character_length chr date_bin date_part date_trunc div every extract format generate_series initcap isfinite json_agg
json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each
json_each_text json_extract_path_text json_object_agg json_object_keys json_typeof jsonb_agg jsonb_array_elements
jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_typeof justify_days justify_hours justify_interval left
lpad make_date make_interval make_timestamp md5 now num_nonnulls num_nulls percentile_cont percentile_disc regexp_count
regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_substr reverse right row rpad scale
split_part starts_with string_to_array strpos to_char to_date to_json to_jsonb to_number to_timestamp translate unnest
width_bucket
"""
_DUCKDB = """
age any_value approx_count_distinct approx_quantile arg_max arg_min array_length array_to_string cbrt chr columns
contains count_if date_add date_diff date_part date_sub date_trunc datediff datepart day dayname dayofmonth dayofweek
dayofyear ends_with epoch epoch_ms even extract first format generate_series group_concat histogram hour if ifnull
isfinite isnan isodow isoyear json_array_length json_extract json_extract_string json_keys json_type json_valid last
last_day left len list list_avg list_concat list_contains list_distinct list_filter list_max list_median list_min
list_sort list_sum list_transform list_value log2 lpad mad make_date make_time make_timestamp map map_keys map_values
max_by md5 median min_by minute month monthname now position pow printf prefix product quantile quantile_cont
quantile_disc quarter range regexp_extract regexp_full_match regexp_matches regexp_replace reverse right row rpad second
skewness split_part starts_with str_split strftime string_split strip_accents strlen strpos strptime struct_extract
struct_pack suffix time_bucket to_days to_hours to_json to_minutes to_months to_seconds to_timestamp to_weeks to_years
today translate try_strptime typeof unnest week weekday weekofyear year yearweek
"""

ALLOWED_FUNCTIONS: dict[str, frozenset[str]] = {
    "sqlite": frozenset((_EVERYWHERE + _SQLITE).split()),
    "postgres": frozenset((_EVERYWHERE + _STATISTICS + _POSTGRES).split()),
    "duckdb": frozenset((_EVERYWHERE + _STATISTICS + _DUCKDB).split()),
}
