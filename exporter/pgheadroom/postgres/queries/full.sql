/* pgheadroom: full reading. One statement, so that the parts agree; rows leave grouped:
   (part, name, detail, count, seconds, database, role, further figures). */
WITH activity AS MATERIALIZED (
    SELECT
        a.pid, a.datid, a.usesysid, a.application_name, a.state, a.backend_type, a.backend_start,
        a.state_change, a.wait_event_type OPERATOR(pg_catalog.=) 'Lock' AS waits
    FROM pg_catalog.pg_stat_get_activity(NULL) AS a
),
client AS MATERIALIZED (
    /* backend_type is NULL where our role may not see it. */
    SELECT a.datid, a.usesysid, a.application_name, a.state, a.backend_start, a.state_change, a.waits
    FROM activity AS a
    WHERE a.datid IS NOT NULL
        AND (
            a.backend_type OPERATOR(pg_catalog.=) 'client backend'
            OR (
                a.backend_type IS NULL
                AND a.pid OPERATOR(pg_catalog.=) ANY (
                    SELECT pg_catalog.pg_stat_get_backend_pid(s.i)
                    FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
                    WHERE {client}
                )
            )
        )
)
SELECT
    'application' AS part, g.application_name AS name, g.state AS detail, g.count, g.seconds,
    COALESCE(d.datname::pg_catalog.text, 'oid ' OPERATOR(pg_catalog.||) g.datid::pg_catalog.text) AS database,
    COALESCE(r.rolname::pg_catalog.text, 'oid ' OPERATOR(pg_catalog.||) g.usesysid::pg_catalog.text) AS role,
    /* How many wait for locks; how many are younger than each of three ages; and how long the longest
       idle has been so within a transaction. */
    pg_catalog.concat_ws(
        ' ', g.waiting, g.young_0, g.young_1, g.young_2,
        CASE WHEN g.state OPERATOR(pg_catalog.=) ANY ({idle_in_transaction}) THEN g.same_state_seconds END
    )
FROM (
    SELECT
        c.application_name, c.state, c.datid, c.usesysid, pg_catalog.count(*) AS count,
        pg_catalog.count(*) FILTER (WHERE c.waits) AS waiting,
        pg_catalog.count(*) FILTER (WHERE c.backend_start OPERATOR(pg_catalog.>) (SELECT {since_0})) AS young_0,
        pg_catalog.count(*) FILTER (WHERE c.backend_start OPERATOR(pg_catalog.>) (SELECT {since_1})) AS young_1,
        pg_catalog.count(*) FILTER (WHERE c.backend_start OPERATOR(pg_catalog.>) (SELECT {since_2})) AS young_2,
        EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.min(c.backend_start)) AS seconds,
        EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.min(c.state_change)) AS same_state_seconds
    FROM client AS c
    GROUP BY c.application_name, c.state, c.datid, c.usesysid
) AS g
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) g.datid
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) g.usesysid
UNION ALL
SELECT 'hidden', NULL, ({starting})::pg_catalog.text, ({hidden}), NULL, NULL, NULL, NULL
UNION ALL
/* PostgreSQL itself counts client backends and nothing else for a CONNECTION LIMIT. One of 0 is a lock
   and no limit. Of many, the fullest are listed, and whatever an alert may speak of. */
SELECT 'role', g.name, g.most::pg_catalog.text, g.used, NULL, NULL, NULL, NULL
FROM (
    SELECT
        o.rolname AS name, o.rolconnlimit AS most, COALESCE(u.used, 0) AS used,
        pg_catalog.row_number() OVER (
            ORDER BY COALESCE(u.used, 0)::pg_catalog.float8 OPERATOR(pg_catalog./) o.rolconnlimit DESC,
            u.used DESC NULLS LAST, o.rolname
        ) AS place
    FROM pg_catalog.pg_roles AS o
    LEFT JOIN (
        SELECT c.usesysid, pg_catalog.count(*) AS used FROM client AS c GROUP BY c.usesysid
    ) AS u ON u.usesysid OPERATOR(pg_catalog.=) o.oid
    WHERE o.rolconnlimit OPERATOR(pg_catalog.>) 0 AND NOT o.rolsuper
) AS g
WHERE g.place OPERATOR(pg_catalog.<=) 100
    OR (
        g.used OPERATOR(pg_catalog.>) 0
        AND g.used OPERATOR(pg_catalog.>=) ({share} OPERATOR(pg_catalog.*) g.most)
    )
UNION ALL
SELECT 'database', g.name, g.most::pg_catalog.text, g.used, NULL, NULL, NULL, NULL
FROM (
    SELECT
        o.datname AS name, o.datconnlimit AS most, COALESCE(u.used, 0) AS used,
        pg_catalog.row_number() OVER (
            ORDER BY COALESCE(u.used, 0)::pg_catalog.float8 OPERATOR(pg_catalog./) o.datconnlimit DESC,
            u.used DESC NULLS LAST, o.datname
        ) AS place
    FROM pg_catalog.pg_database AS o
    LEFT JOIN (
        SELECT c.datid, pg_catalog.count(*) AS used FROM client AS c GROUP BY c.datid
    ) AS u ON u.datid OPERATOR(pg_catalog.=) o.oid
    WHERE o.datconnlimit OPERATOR(pg_catalog.>) 0
) AS g
WHERE g.place OPERATOR(pg_catalog.<=) 100
    OR (
        g.used OPERATOR(pg_catalog.>) 0
        AND g.used OPERATOR(pg_catalog.>=) ({share} OPERATOR(pg_catalog.*) g.most)
    )
UNION ALL
(
    SELECT
        'sessions', d.datname,
        pg_catalog.concat_ws(
            ' ', pg_catalog.pg_stat_get_db_sessions_abandoned(d.oid),
            pg_catalog.pg_stat_get_db_sessions_fatal(d.oid),
            pg_catalog.pg_stat_get_db_sessions_killed(d.oid)
        ),
        pg_catalog.pg_stat_get_db_sessions(d.oid) AS opened, NULL, NULL, NULL, NULL
    FROM pg_catalog.pg_database AS d
    WHERE d.datallowconn
    ORDER BY opened DESC, d.datname
    LIMIT 100
)
UNION ALL
SELECT 'activity', NULL, s.commits::pg_catalog.text, s.opened::pg_catalog.int8, NULL, NULL, NULL, NULL
FROM (
    SELECT
        pg_catalog.sum(pg_catalog.pg_stat_get_db_xact_commit(d.oid)) AS commits,
        pg_catalog.sum(pg_catalog.pg_stat_get_db_sessions(d.oid)) AS opened
    FROM pg_catalog.pg_database AS d
) AS s
UNION ALL
SELECT 'setting', s.name, pg_catalog.current_setting(s.name, true), NULL, NULL, NULL, NULL, NULL
FROM (
    VALUES
    ('max_connections'), ('superuser_reserved_connections'), ('reserved_connections'),
    ('rds.rds_superuser_reserved_connections'), ('server_version_num'), ('server_version'),
    ('is_superuser')
) AS s (name)
UNION ALL
SELECT 'recovery', NULL, pg_catalog.pg_is_in_recovery()::pg_catalog.text, NULL, NULL, NULL, NULL, NULL
UNION ALL
SELECT 'me', NULL, pg_catalog.quote_ident(CURRENT_USER::pg_catalog.text), NULL, NULL, NULL, NULL, NULL
UNION ALL
SELECT 'sees_all', NULL,
    pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')::pg_catalog.text, NULL, NULL, NULL, NULL, NULL
UNION ALL
SELECT 'reserve', NULL, pg_catalog.bool_or(pg_catalog.pg_has_role(r.oid, 'USAGE'))::pg_catalog.text, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_roles AS r
WHERE r.rolname OPERATOR(pg_catalog.=) 'pg_use_reserved_connections'
UNION ALL
SELECT 'pid', NULL, NULL, pg_catalog.pg_backend_pid(), NULL, NULL, NULL, NULL
UNION ALL
SELECT 'started', NULL, NULL, NULL, EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()), NULL, NULL, NULL
UNION ALL
SELECT 'cost', NULL, NULL, NULL,
    EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp()), NULL, NULL, NULL
