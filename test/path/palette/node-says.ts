import { once } from 'node:events';
import { WebSocket } from 'ws';

/** What nodes say of themselves comes over the editor's socket; who comes late hears the last of it. */
export async function untilNodeSays(webUrl: string, token: string, id: string, text: string): Promise<void> {
  const socket = new WebSocket(`${webUrl.replace('http', 'ws')}/flows/comms`, { headers: { authorization: `Bearer ${token}` } });
  await once(socket, 'open');
  await new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const said = JSON.parse(data.toString('utf8')) as { topic: string; data: { text?: string } }[];
      if ([said].flat().some(({ topic, data: status }) => topic === `status/${id}` && status.text?.includes(text) === true)) resolve();
    });
    socket.send(JSON.stringify({ subscribe: 'status/#' }));
  });
  socket.terminate();
}
