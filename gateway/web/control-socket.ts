import { chmodSync, rmSync } from 'node:fs';
import fastify, { type FastifyInstance } from 'fastify';
import { ConfigError, UsageError, VitalgateError, messageOf } from '../errors.ts';

export type Control = Readonly<{ close: () => Promise<void> }>;

/** Listens on `path`, replacing a socket that a killed program left behind. Whoever calls knows that none runs. Nobody but its owner reaches it. */
export async function startControlSocket(path: string, addRoutes: (app: FastifyInstance) => void): Promise<Control> {
  const app = fastify();
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = error instanceof UsageError || error instanceof ConfigError ? 400 : 500;
    return reply.code(status).send({ error: error instanceof VitalgateError ? error.code : 'VG_INTERNAL', message: messageOf(error) });
  });
  app.get('/alive', () => ({}));
  addRoutes(app);
  rmSync(path, { force: true });
  await app.listen({ path });
  chmodSync(path, 0o600);
  return { close: () => app.close() };
}
