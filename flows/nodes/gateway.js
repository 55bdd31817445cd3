/** Where a gateway is, and by which token flows speak to it; and what the editor asks of this palette. */

import { GatewayLink } from '../lib/gateway-link.js';
import { Mistake } from '../lib/palette.js';
import { textOf } from '../lib/reading.js';

/** @typedef {import('../lib/palette.js').Palette} Palette */

/** @param {Palette} palette */
export function gateway(palette) {
  palette.register('gateway', (node, config) => {
    const [url, token] = [textOf(config, 'url'), node.credentials?.['token'] ?? ''];
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Mistake('badAddress', { found: JSON.stringify(url.slice(0, 60)) });
    if (token === '') throw new Mistake('noToken');
    palette.links.set(node, new GatewayLink({ url, token }, nameIn(textOf(config, 'consumer')) ?? `node-red-${node.id}${instanceOf(palette)}`));
  }, { credentials: { token: { type: 'password' } } });
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
  RED.httpAdmin.post('/vitalgate/press/:id', RED.auth.needsPermission('inject.write'), ({ params }, response) => {
    const node = RED.nodes.getNode(params['id'] ?? '');
    if (node?.type !== 'vitalgate-simulate' && node?.type !== 'vitalgate-notify') return response.status(404).json({ message: palette.say('error.noNode') });
    node.receive(node.type === 'vitalgate-notify' ? { payload: palette.say('status.test'), topic: 'test' } : {});
    response.json({});
  });
}
