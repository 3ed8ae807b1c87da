"""What many workers at once take of a run, and cost its search; no GPU and no cluster is needed.

Read `__main__` first, then `stand_in` (evaluations that draw nothing), then a part: `driver`, `kept_busy`,
`search_cost`.
"""
