/** The table of gateways. Rows stay the same elements while what they say changes, so that whoever is in one with the keyboard stays there. */

import type { GatewayView } from '../gateway-book.ts';
import { make, part, show } from './element.ts';
import { count, many, reasonIn, span, STATE_WORDS } from './words.ts';

const COLUMNS = ['Gateway', 'State', 'Newest block', 'Came', 'Gaps', 'Receipts', 'Refused'] as const;

type Row = Readonly<{ row: HTMLTableRowElement; key: HTMLElement; chain: HTMLElement; cells: readonly HTMLTableCellElement[] }>;

export class GatewayTable {
  readonly #rows = new Map<string, Row>();
  readonly #open: (chain: string) => void;

  constructor(open: (chain: string) => void) {
    this.#open = open;
    part('gateway-columns').append(...COLUMNS.map((name) => make('th', { scope: 'col' }, name)));
  }

  show(gateways: readonly GatewayView[]): void {
    const body = part('gateway-rows');
    const rows = gateways.map((gateway) => this.#filled(gateway));
    const shown = new Set(gateways.map(({ chain }) => chain));
    for (const [chain, { row }] of this.#rows) {
      if (shown.has(chain)) continue;
      row.remove();
      this.#rows.delete(chain);
    }
    for (const [index, { row }] of rows.entries()) if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    part('no-gateway').hidden = gateways.length > 0;
  }

  #filled({ chain, name, fingerprint, state, lag, quiet, lanes, gaps, receipts, failures }: GatewayView): Row {
    const filled = this.#rows.get(chain) ?? this.#made(chain);
    const refused = Object.entries(failures);
    const heights = lanes.map(({ lane, height }) => `${lane} ${count(height)}`).join(', ');
    filled.row.dataset['state'] = state;
    show(filled.key, name ?? fingerprint.slice(0, 12));
    show(filled.chain, `${name === null ? '' : `key ${fingerprint.slice(0, 8)}… `}chain ${chain.slice(0, 8)}… ${heights}`);
    const texts = [STATE_WORDS[state], lag === null ? '–' : `${span(lag)} old`, `${span(quiet)} ago`, count(gaps), count(receipts), count(refused.reduce((sum, [, each]) => sum + each, 0))];
    for (const [index, text] of texts.entries()) {
      const cell = filled.cells[index];
      if (cell !== undefined) show(cell, text);
    }
    filled.cells.at(-1)?.setAttribute('title', refused.map(([reason, each]) => `${many(each, 'offer')} ${reasonIn(reason)}`).join('; '));
    return filled;
  }

  #made(chain: string): Row {
    const key = make('button', { type: 'button', class: 'key', 'aria-haspopup': 'dialog' });
    key.addEventListener('click', () => this.#open(chain));
    const detail = make('span', { class: 'chain' });
    const cells = COLUMNS.slice(1).map((name) => make('td', { 'data-label': name }));
    const row = make('tr', { 'data-chain': chain }, make('th', { scope: 'row' }, key, detail), ...cells);
    const made = { row, key, chain: detail, cells };
    this.#rows.set(chain, made);
    return made;
  }
}
