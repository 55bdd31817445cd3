import { afterEach, describe, expect, it } from 'vitest';
import { CareSite } from './care-site.ts';

let site: CareSite | undefined;
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

type Operation = Readonly<{ summary?: string; parameters?: readonly { name: string; in: string }[]; requestBody?: object; responses: Readonly<Record<string, object>>; security?: readonly object[] }>;
type Description = Readonly<{
  openapi: string;
  info: { description: string };
  security: readonly object[];
  components: { schemas: Readonly<Record<string, object>>; securitySchemes: object };
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}>;

describe('the description of the API', () => {
  it('has every route, with what it takes and answers', async () => {
    site = await CareSite.open();
    const description = (await site.ask(undefined, '/api/openapi.json')).json as unknown as Description;
    expect([description.openapi, Object.keys(description.components.schemas).sort()]).toEqual(['3.1.0', ['Alarm', 'Contract', 'Episode', 'Error', 'Step', 'Subject']]);
    expect(description.info.description).toContain('not a certified medical device');
    const routes = Object.entries(description.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(routes.filter((route) => !route.startsWith('HEAD')).sort()).toEqual([
      'DELETE /api/break-glass/{episode}', 'DELETE /api/session', 'GET /api', 'GET /api/alarms', 'GET /api/alarms/{id}', 'GET /api/alarms/{id}/steps', 'GET /api/break-glass', 'GET /api/contracts', 'GET /api/patients', 'GET /api/patients/{id}',
      'GET /api/session', 'GET /api/steps', 'GET /api/stream', 'POST /api/alarms/{id}/acknowledge', 'POST /api/alarms/{id}/snooze', 'POST /api/break-glass/{episode}/review', 'POST /api/contracts',
      'POST /api/patients/{id}/break-glass', 'POST /api/patients/{id}/observations', 'POST /api/patients/{id}/waveforms', 'POST /api/session', 'PUT /api/patients/{id}/spo2-scale',
    ]);
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, { summary, parameters = [], requestBody, responses }] of Object.entries(methods)) {
        expect([path, method, summary !== undefined, Object.keys(responses).length > 0]).toEqual([path, method, true, true]);
        expect(requestBody !== undefined).toBe(method === 'post' || method === 'put');
        const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`);
        expect(path.match(/\{[^}]+\}/g) ?? []).toEqual(inPath);
      }
    }
  });

  it('refers to nothing that is not in it', async () => {
    site = await CareSite.open();
    const { text } = await site.ask(undefined, '/api/openapi.json');
    const description = JSON.parse(text) as Record<string, never>;
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target = '']) => target);
    expect(references.length).toBeGreaterThan(10);
    for (const target of new Set(references)) {
      const found = target.slice(2).split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], description);
      expect([target, typeof found]).toEqual([target, 'object']);
    }
  });

  it('says who may ask without a token: for itself, and to begin a session', async () => {
    site = await CareSite.open();
    const { paths, security } = (await site.ask(undefined, '/api/openapi.json')).json as unknown as Description;
    expect(security).toEqual([{ token: [] }, { session: [] }]);
    const open = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).flatMap(([method, operation]) => (operation.security?.length === 0 ? [`${method} ${path}`] : [])));
    expect(open.filter((each) => !each.startsWith('head')).sort()).toEqual(['get /api', 'post /api/session']);
  });
});
