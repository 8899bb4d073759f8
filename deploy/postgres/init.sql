-- The role that pgheadroom logs in as: it sees every session (pg_monitor), still gets in when
-- applications are refused (pg_use_reserved_connections, PostgreSQL 16 and newer), and cannot take
-- many slots itself (the limit).
--
-- The password comes from a file, so that it is not in the process list:
--   psql -v password_file=/path/to/password -f init.sql
\set ON_ERROR_STOP on
\if :{?password_file}
\else
    \set password_file /run/secrets/pgheadroom/password
\endif
begin;
-- Keeps the password out of the server's log under all settings.
set local log_statement = 'none';
set local log_min_error_statement = 'panic';
set local log_min_duration_statement = -1;
\set password `cat :'password_file'`
select :'password' = '' as no_password \gset
\if :no_password
    do $$ begin raise 'the password file is empty or cannot be read'; end $$;
\endif
set local password_encryption = 'scram-sha-256';
create role pgheadroom login password :'password' connection limit 3
    in role pg_monitor, pg_use_reserved_connections;
alter role pgheadroom set statement_timeout = '5s';
commit;
