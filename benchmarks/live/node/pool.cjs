// An ordinary web service on node-postgres: a pool, and requests at a steady rate. A part of the
// requests updates one hot row, so that they wait where somebody holds it.
//
//     node pool.cjs URL MAX REQUESTS_A_SECOND HOT_SHARE
'use strict';
const { Pool } = require('pg');

const [url, max, rate, hot] = process.argv.slice(2);
const pool = new Pool({ connectionString: url, max: Number(max) });
// A connection that is lost while it is idle; the pool opens another when it needs one.
pool.on('error', () => {});

async function request() {
  const sql = Math.random() < Number(hot)
    ? 'update hot set n = n + 1 where id = 1'
    : 'select pg_sleep(0.05)';
  try {
    await pool.query(sql);
  } catch (error) {
    // A refused login is a failed request, and the next one tries again.
    process.stderr.write(`${error.message}\n`);
  }
}

process.on('SIGTERM', () => process.exit(0));
setInterval(request, 1000 / Number(rate));
pool.query('select 1').then(() => process.stdout.write('up\n'));
