// A Nest application in which every module has a PrismaClient of its own, and so a pool of its own.
// Modules are added while it runs, by the lazy loader, as by one deploy after another.
//
//     node nest.cjs URL FIRST_MODULES POOL_SIZE SECONDS_BETWEEN_MODULES
'use strict';
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { LazyModuleLoader, NestFactory } = require('@nestjs/core');
const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('@prisma/client');

const [url, first, size, pause] = process.argv.slice(2);
const clients = [];

function feature(number) {
  class PrismaService extends PrismaClient {
    constructor() {
      super({ adapter: new PrismaPg({ connectionString: url, max: Number(size) }) });
    }

    async onModuleInit() {
      await this.$connect();
      clients.push(this);
    }
  }
  class FeatureModule {}
  Object.defineProperty(FeatureModule, 'name', { value: `Feature${number}Module` });
  Module({ providers: [PrismaService], exports: [PrismaService] })(FeatureModule);
  return { FeatureModule, PrismaService };
}

// As many requests at once as the pool has places, so that it opens them all, and keeps them.
async function work() {
  const requests = clients.flatMap((client) =>
    Array.from({ length: Number(size) }, () => client.$queryRaw`select 1 from pg_sleep(0.2)`));
  for (const one of await Promise.allSettled(requests)) {
    if (one.status === 'rejected') process.stderr.write(`${one.reason.message}\n`);
  }
}

async function main() {
  const modules = Array.from({ length: Number(first) }, (_, number) => feature(number));
  class AppModule {}
  Module({ imports: modules.map((one) => one.FeatureModule) })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  const loader = app.get(LazyModuleLoader);
  let number = Number(first);
  // onModuleInit is not called for lazy modules; the first use of a client is what connects it.
  async function add() {
    const { FeatureModule, PrismaService } = feature(number++);
    const reference = await loader.load(() => FeatureModule);
    clients.push(reference.get(PrismaService));
  }
  setInterval(work, 1000);
  await work();
  process.stdout.write('up\n');
  process.once('SIGUSR2', () => setInterval(add, Number(pause) * 1000));
}

process.on('SIGTERM', () => process.exit(0));
main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
