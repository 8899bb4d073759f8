"""Plays stories of incidents and of ordinary days, and judges how early a page comes.

`write` simulates a PostgreSQL server and the services that connect to it, and writes each story as
a recording with its truth beside it. `judge` replays recordings and says how early each page came,
and how often for nothing. The stories are in two halves: with the open ones one may tune, the kept
ones are for judging only.
"""
