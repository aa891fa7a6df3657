"""Reports: the same tables and charts as the pages, as files that need no network.

`document` says what a report is; `html`, `tables` and `bundle` write it; `of_runs`
and `of_audit` compose it. Nothing here computes a statistic.
"""
