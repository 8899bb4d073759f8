/* pgheadroom: who waits for a lock, and on whom. Rows leave as (part, pid, name, kind, state, in
   transaction, waits, database, role); times in seconds. Those who have waited longest are looked at
   first, and then, round by round, those of their blockers who wait themselves: {most} in all, of which
   {spare} places are kept for such blockers when more than {most} wait. At most {each} blockers of each
   are told. */
WITH RECURSIVE waiter AS MATERIALIZED (
    SELECT l.pid, pg_catalog.min(l.waitstart) AS since
    FROM pg_catalog.pg_lock_status() AS l
    WHERE NOT l.granted
    GROUP BY l.pid
),
look (seen, edges, named) AS (
    SELECT f.pids, f.edges, pg_catalog.regexp_split_to_array(f.edges, '[ ,]')::pg_catalog.int4[]
    FROM (
        SELECT pg_catalog.array_agg(n.pid) AS pids, {edges} AS edges
        FROM (
            SELECT w.pid
            FROM waiter AS w
            ORDER BY w.since, w.pid
            LIMIT (
                SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) {most} THEN {most} - {spare} ELSE {most} END
                FROM waiter
            )
        ) AS n
    ) AS f
    UNION ALL
    SELECT
        l.seen OPERATOR(pg_catalog.||) f.pids, f.edges,
        pg_catalog.regexp_split_to_array(f.edges, '[ ,]')::pg_catalog.int4[]
    FROM look AS l,
        LATERAL (
            SELECT pg_catalog.array_agg(n.pid) AS pids, {edges} AS edges
            FROM (
                SELECT w.pid
                FROM waiter AS w
                WHERE w.pid OPERATOR(pg_catalog.=) ANY (l.named)
                    AND NOT w.pid OPERATOR(pg_catalog.=) ANY (l.seen)
                ORDER BY w.since, w.pid
                LIMIT {most} - pg_catalog.cardinality(l.seen)
            ) AS n
        ) AS f
    WHERE f.pids IS NOT NULL
),
named AS MATERIALIZED (
    SELECT DISTINCT p.pid
    FROM look AS l, pg_catalog.unnest(l.named) AS p (pid)
)
SELECT
    'session' AS part, a.pid::pg_catalog.int8 AS pid, a.application_name AS name, a.backend_type AS kind, a.state,
    EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.xact_start) AS in_transaction,
    CASE WHEN w.pid IS NOT NULL
        THEN COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) w.since), 0)
    END AS waits,
    COALESCE(d.datname::pg_catalog.text, 'oid ' OPERATOR(pg_catalog.||) a.datid::pg_catalog.text) AS database,
    COALESCE(r.rolname::pg_catalog.text, 'oid ' OPERATOR(pg_catalog.||) a.usesysid::pg_catalog.text) AS role
FROM named AS n
INNER JOIN pg_catalog.pg_stat_get_activity(NULL) AS a ON a.pid OPERATOR(pg_catalog.=) n.pid
LEFT JOIN waiter AS w ON w.pid OPERATOR(pg_catalog.=) n.pid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) a.datid
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) a.usesysid
UNION ALL
/* pg_blocking_pids calls every prepared transaction 0: only of a single one is known which it is. */
SELECT
    'prepared', NULL, NULL, NULL, NULL,
    EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.min(p.prepared)), NULL,
    pg_catalog.min(d.datname::pg_catalog.text), pg_catalog.min(r.rolname::pg_catalog.text)
FROM pg_catalog.pg_prepared_xact() AS p
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) p.dbid
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) p.ownerid
HAVING pg_catalog.count(*) OPERATOR(pg_catalog.=) 1
UNION ALL
SELECT 'edges', NULL, l.edges, NULL, NULL, NULL, NULL, NULL, NULL
FROM look AS l
WHERE l.edges IS NOT NULL
UNION ALL
SELECT 'waiting', (SELECT pg_catalog.count(*) FROM waiter), NULL, NULL, NULL, NULL, NULL, NULL, NULL
UNION ALL
SELECT 'cost', NULL, NULL, NULL, NULL,
    EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp()), NULL, NULL, NULL
