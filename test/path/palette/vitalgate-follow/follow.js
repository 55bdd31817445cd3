// A node for tests: follows alarms, has an escalation begin, notes whom it would have told, and acknowledges only then.

import { appendFileSync } from 'node:fs';

const CHAIN = [{ to: ['dora'], within: '15s' }, { to: ['nick'], within: '15s' }, { to: ['emma'], within: '10min' }];

export default function follow(RED) {
  function Follow(config) {
    RED.nodes.createNode(this, config);
    const { url, token } = RED.settings.vitalgate;
    const stop = new AbortController();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const post = (path, body) => fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: stop.signal });
    const take = async ({ id, redelivered, alarm }) => {
      if (alarm.why === 'raised' && alarm.rule === 'flow:fall') await post('/api/flows/asks', { ask: 'escalate', alarm: alarm.alarm, revision: alarm.revision, chain: CHAIN });
      appendFileSync(`${RED.settings.userDir}/heard`, `${JSON.stringify({ id, redelivered, rule: alarm.rule, why: alarm.why, to: alarm.told?.to ?? [] })}\n`);
      await post('/api/flows/acknowledgements', { consumer: 'killed', ids: [id] });
    };
    const listen = async () => {
      const answer = await fetch(`${url}/api/flows/messages?consumer=killed&topics=alarm`, { headers, signal: stop.signal });
      let text = '';
      for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
        text += part;
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          if (event.startsWith('event: message')) await take(JSON.parse(event.slice(event.indexOf('data: ') + 6)));
        }
      }
    };
    listen().catch((error) => stop.signal.aborted || this.error(error));
    this.on('close', () => stop.abort());
  }
  RED.nodes.registerType('follow', Follow);
}
