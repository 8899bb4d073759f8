/* pgheadroom: pulse (14 to 16). Client backends, and the processes that are starting: a login under
   way holds its virtual transaction's lock before it has a row in pg_stat_activity, and so does any
   other process. Last, what has become of the pids that were starting in an earlier look: those with
   the row of a client backend, and those with any row. */
SELECT
    (
        SELECT pg_catalog.count(*)
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
        WHERE {client}
    ),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
    ({starting}),
    CASE WHEN {earlier} IS NOT NULL THEN (
        SELECT pg_catalog.array_agg(pg_catalog.pg_stat_get_backend_pid(s.i))
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
        WHERE pg_catalog.pg_stat_get_backend_pid(s.i) OPERATOR(pg_catalog.=) ANY ({earlier}) AND {client}
    ) END,
    CASE WHEN {earlier} IS NOT NULL THEN (
        SELECT pg_catalog.array_agg(pg_catalog.pg_stat_get_backend_pid(s.i))
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
        WHERE pg_catalog.pg_stat_get_backend_pid(s.i) OPERATOR(pg_catalog.=) ANY ({earlier})
    ) END
