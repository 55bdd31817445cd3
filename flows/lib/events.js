/** Reads server-sent events (HTML Living Standard 9.2) from the body of an answer. */

/** No message of the contract comes near; whoever sends more is no gateway. */
const LONGEST_EVENT = 1_048_576;

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{ event: string, data: string }, void, void>}
 */
export async function* eventsOf(body) {
  let text = '';
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    text += part;
    const events = text.replaceAll('\r\n', '\n').split('\n\n');
    text = events.pop() ?? '';
    if (text.length > LONGEST_EVENT) throw new Error('the answer is no stream of messages: an event has no end');
    for (const each of events) yield read(each);
  }
}

/** @param {string} text */
function read(text) {
  const lines = text.split('\n').map((line) => /^([a-z]+): ?(.*)$/s.exec(line) ?? []);
  const data = lines.filter(([, field]) => field === 'data').map(([, , value]) => value).join('\n');
  return { event: lines.find(([, field]) => field === 'event')?.[2] ?? 'message', data };
}
