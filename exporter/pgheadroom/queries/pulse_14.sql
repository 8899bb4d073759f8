/* pgheadroom: pulse (14 to 16). Client backends, and the processes that are starting: a login under
   way holds its virtual transaction's lock before it has a row in pg_stat_activity, and so does any
   other process. Last, what has become of the pids that were starting in an earlier look: those with
   the row of a client backend, and those with any row. Each is looked up by itself, which costs
   nothing beside a list of all. Without the privilege to see its kind, who has a database and a role
   is taken for a client. */
SELECT
    (
        SELECT pg_catalog.count(*)
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
        WHERE {client}
    ),
    EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()),
    ({starting}),
    e.clients,
    e.listed
FROM (
    SELECT
        pg_catalog.array_agg(a.pid) FILTER (
            WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend'
            OR (
                a.backend_type IS NULL
                AND a.datid OPERATOR(pg_catalog.<>) 0
                AND a.usesysid OPERATOR(pg_catalog.<>) 0
            )
        ) AS clients,
        pg_catalog.array_agg(a.pid) AS listed
    FROM pg_catalog.unnest({earlier}) AS p,
        pg_catalog.pg_stat_get_activity(p) AS a
) AS e
