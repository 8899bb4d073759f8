/* pgheadroom: pulse (17). Client backends by their number, and the logins in progress: they hold their
   virtual transaction's lock before they have a row in pg_stat_activity. */
SELECT
    (
        SELECT pg_catalog.count(*)
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
        WHERE {client}
    ),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
    ({hidden})
