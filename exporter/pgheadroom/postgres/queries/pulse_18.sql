/* pgheadroom: pulse (18 and newer). Client backends by their number; a login under way is one that
   has no database yet. */
SELECT
    pg_catalog.count(*) FILTER (WHERE d.oid OPERATOR(pg_catalog.<>) 0),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
    pg_catalog.count(*) FILTER (WHERE d.oid OPERATOR(pg_catalog.=) 0)
FROM (
    SELECT pg_catalog.pg_stat_get_backend_dbid(s.i) AS oid
    FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
    WHERE {client}
) AS d
