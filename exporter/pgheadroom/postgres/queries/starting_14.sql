/* Processes that are starting, of any kind: they have no row in pg_stat_activity yet. */
SELECT pg_catalog.array_agg(DISTINCT l.pid)
FROM pg_catalog.pg_lock_status() AS l
WHERE {unlisted}
