/* pgheadroom: pulse with hidden slots (14 to 17). A login under way holds its virtual transaction's
   lock before it has a row in pg_stat_activity. */
WITH listed AS MATERIALIZED (
    SELECT pg_catalog.pg_stat_get_backend_pid(i) AS pid
    FROM pg_catalog.pg_stat_get_backend_idset() AS i
)
SELECT
    (SELECT pg_catalog.count(*) FROM listed),
    pg_catalog.pg_backend_pid(),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
    (
        SELECT pg_catalog.count(DISTINCT l.pid)
        FROM pg_catalog.pg_lock_status() AS l
        WHERE l.locktype OPERATOR(pg_catalog.=) 'virtualxid'
            AND l.pid IS NOT NULL
            AND {client_slot}
            AND NOT EXISTS (SELECT FROM listed WHERE listed.pid OPERATOR(pg_catalog.=) l.pid)
    )
