/* Logins under way on 18 and newer: client backends by their number, without a database yet. */
SELECT pg_catalog.count(*)
FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
WHERE {client}
    AND pg_catalog.pg_stat_get_backend_dbid(s.i) OPERATOR(pg_catalog.=) 0
