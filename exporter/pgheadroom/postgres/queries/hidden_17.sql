/* Logins under way on 17: client backends by their number, without a row in pg_stat_activity. */
SELECT pg_catalog.count(DISTINCT l.pid)
FROM pg_catalog.pg_lock_status() AS l
WHERE pg_catalog.split_part(l.virtualtransaction, '/', 1)::pg_catalog.int4
        OPERATOR(pg_catalog.<) {max_connections}
    AND {unlisted}
