/* pgheadroom: pulse */
SELECT
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_backend_idset()),
    pg_catalog.pg_backend_pid(),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())
