/**
 * What a modem sends, cut into lines (ITU-T V.250 §5.7): `<CR><LF>text<CR><LF>`, or `<CR>` alone behind an echo. Reads end anywhere, also
 * between CR and LF; boot noise has NULs in it.
 */

/** Longest line that is kept whole; noise at a wrong speed never ends. */
const LONGEST = 4096;
const PROMPT = /^> ?$/;

export class AtLines {
  #rest = '';

  /** Whole lines, without empty ones. `>` alone is the prompt for a message (3GPP TS 27.005 §3.5.1), which no line ending follows. */
  push(bytes: Uint8Array): string[] {
    const text = this.#rest + Buffer.from(bytes).toString('latin1').replaceAll('\0', '');
    const pieces = text.split(/[\r\n]+/);
    const last = pieces.pop() ?? '';
    const lines = pieces.filter((piece) => piece !== '');
    const isPrompt = PROMPT.test(last);
    this.#rest = isPrompt ? '' : last.slice(-LONGEST);
    return isPrompt ? [...lines, '>'] : lines;
  }

  /** Forgets what was begun. */
  clear(): void {
    this.#rest = '';
  }
}
