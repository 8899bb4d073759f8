// A service that makes a new PrismaClient for every request and disconnects none of them.
//
//     node per_request.cjs URL REQUESTS_A_SECOND
'use strict';
const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('@prisma/client');

const [url, rate] = process.argv.slice(2);
const clients = [];

async function request() {
  // As with the engine that Prisma had up to version 6: what idles is not closed.
  const client = new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, idleTimeoutMillis: 0 }),
  });
  clients.push(client);
  try {
    await client.$queryRaw`select 1`;
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
}

process.on('SIGTERM', () => process.exit(0));
request().then(() => process.stdout.write('up\n'));
process.once('SIGUSR2', () => setInterval(request, 1000 / Number(rate)));
