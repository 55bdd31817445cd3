/** Where a gateway is, and by which token flows speak to it; and what the editor asks of this palette. */

import { GatewayLink } from '../lib/gateway-link.js';
import { Mistake, isObject } from '../lib/palette.js';
import { textOf } from '../lib/reading.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */

/** @param {Palette} palette */
export function gateway(palette) {
  palette.register('gateway', (node, config) => {
    const [url, token] = [textOf(config, 'url'), node.credentials?.['token'] ?? ''];
    placeIn(url);
    if (token === '') throw new Mistake('noToken');
    palette.links.set(node, new GatewayLink({ url, token }, nameIn(textOf(config, 'consumer')) ?? `node-red-${node.id}${instanceOf(palette)}`));
  }, { credentials: { token: { type: 'password' } } });
}

/** @param {string} url */
function placeIn(url) {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Mistake('badAddress', { found: JSON.stringify(url.slice(0, 60)) });
  return url;
}

/**
 * Which Node-RED this is, by its own account, the same after a restart: where the same flows run twice, each is told of everything, and none takes
 * from the other. @param {Palette} palette
 */
function instanceOf({ RED }) {
  const id = RED.settings.available?.() === true ? RED.settings.get?.('instanceId') : undefined;
  return typeof id === 'string' && /^[0-9a-f]{8}/.test(id) ? `-${id.slice(0, 8)}` : '';
}

/** @param {string} name */
function nameIn(name) {
  if (name === '') return undefined;
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,55}$/.test(name)) throw new Mistake('badName', { found: JSON.stringify(name.slice(0, 40)) });
  return name;
}

/** Lists to choose from, and the button of a node. @param {Palette} palette */
export function editorRoutes(palette) {
  const { RED } = palette;
  RED.httpAdmin.get('/vitalgate/lists', RED.auth.needsPermission('flows.read'), async ({ query }, response) => {
    try {
      response.json(await palette.linkFor(query).lists());
    } catch (error) {
      response.status(502).json({ message: palette.explain(error) });
    }
  });
  RED.httpAdmin.post('/vitalgate/press/:id', RED.auth.needsPermission('flows.write'), async ({ params }, response) => {
    const node = RED.nodes.getNode(params['id'] ?? '');
    if (node === null || !node.type.startsWith('vitalgate-')) return response.status(404).json({ message: palette.say('error.noNode') });
    try {
      response.json({ message: await palette.tryOut(node) });
    } catch (error) {
      response.status(409).json({ message: palette.explain(error) });
    }
  });
  RED.httpAdmin.post('/vitalgate/connection', RED.auth.needsPermission('flows.write'), async ({ body }, response) => {
    try {
      response.json({ message: await whoIsAt(palette, linkToTry(palette, isObject(body) ? body : {})) });
    } catch (error) {
      response.status(409).json({ message: palette.explain(error) });
    }
  });
}

/** As it was filled in, and maybe not deployed. A token that was deployed goes to the address it was deployed for, and nowhere else. @param {Palette} palette @param {Record<string, unknown>} filledIn */
function linkToTry(palette, filledIn) {
  const [id, url, token] = [textOf(filledIn, 'id'), placeIn(textOf(filledIn, 'url')), textOf(filledIn, 'token')];
  if (token !== '') return new GatewayLink({ url, token }, 'test');
  const node = palette.RED.nodes.getNode(id);
  const link = node === null ? undefined : palette.links.get(node);
  if (link === undefined) throw new Mistake('noToken');
  if (link.url !== url) throw new Mistake('tokenOfAnother');
  return link;
}

/** @param {Palette} palette @param {GatewayLink} link */
async function whoIsAt(palette, link) {
  const [{ person, access }, { patients }] = [await link.asker(), await link.lists()];
  return palette.say('trial.connected', { person, may: palette.say(`access.${access}`), patients: patients.length });
}
