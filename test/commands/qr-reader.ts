/** Reads QR codes as they are printed or written, with a decoder that shares nothing with what drew them. */

import decoder from 'jsqr';

/** Rows of modules, dark or not. */
type Modules = readonly (readonly boolean[])[];

/** ISO/IEC 18004: light modules around a code. */
const QUIET_ZONE = 4;
const PIXELS = 4;

/** The text in the code of an SVG file as qrcode writes it: a path of horizontal strokes. */
export function readSvg(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+) \d+"/.exec(svg)?.[1]);
  const strokes = /<path stroke="#000000" d="([^"]*)"/.exec(svg)?.[1] ?? '';
  const rows = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  let [x, y] = [0, 0];
  for (const [, command, numbers = ''] of strokes.matchAll(/([Mmh])([-\d. ]+)/g)) {
    const [first = 0, second = 0] = numbers.split(' ').map(Number);
    if (command === 'M') [x, y] = [first, second - 0.5];
    else if (command === 'm') [x, y] = [x + first, y + second];
    else for (const end = x + first; x < end; x++) (rows[y] as boolean[])[x] = true;
  }
  return decode(rows);
}

/** The text in a code of a terminal: two rows of modules a line, dark on light. */
export function readTerminal(text: string): string {
  // Without the colours; what is drawn in white on white is light.
  const plain = text.replaceAll('\u001B', '').replaceAll(/\[37m./g, ' ').replaceAll(/\[\d+m/g, '');
  const lines = plain.split('\n').filter((line) => line !== '');
  return decode(lines.flatMap((line) => ['▀█', '▄█'].map((dark) => line.split('').map((each) => dark.includes(each)))));
}

function decode(modules: Modules): string {
  const width = (modules[0]?.length ?? 0) + 2 * QUIET_ZONE;
  const height = modules.length + 2 * QUIET_ZONE;
  const pixels = new Uint8ClampedArray(width * height * PIXELS * PIXELS * 4).fill(255);
  for (let row = 0; row < height * PIXELS; row++) {
    for (let column = 0; column < width * PIXELS; column++) {
      const isDark = modules[Math.floor(row / PIXELS) - QUIET_ZONE]?.[Math.floor(column / PIXELS) - QUIET_ZONE] === true;
      if (isDark) pixels.fill(0, (row * width * PIXELS + column) * 4, (row * width * PIXELS + column) * 4 + 3);
    }
  }
  // The package is CommonJS whose default is a member.
  return decoder.default(pixels, width * PIXELS, height * PIXELS)?.data ?? 'no code found';
}
