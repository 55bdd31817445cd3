/** The page of a hospital node for those who run it: served by the node, made of what is in this room, and of nothing from anywhere else. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { GatewayOrder, GatewayState } from './gateway-book.ts';

/** Nothing but files of this node runs, is drawn or is asked, and no other page may put this one into itself. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const SCRIPT = '/page/node.js';
const STYLE = '/page/node.css';
const ICON = '/page/node.svg';
/** A pulse. */
const DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 9h4l2-6 3 10 2-4h3" fill="none" stroke="#1d6fdc" stroke-width="1.8" stroke-linejoin="round" stroke-linecap="round"/></svg>';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Adds `/` and what belongs to it. Anybody may load the page; what it shows, it asks with the session of whoever signed in. */
export function addPage(app: FastifyInstance): void {
  let script: Promise<string> | undefined;
  app.get('/', (_request, reply) => sent(reply, 'text/html; charset=utf-8', PAGE));
  // Bundled when somebody looks for the first time: it takes some 100 ms.
  app.get(SCRIPT, async (_request, reply) => await sent(reply, 'text/javascript; charset=utf-8', await (script ??= bundle())));
  app.get(ICON, (_request, reply) => sent(reply, 'image/svg+xml', DRAWING));
  app.get(STYLE, (_request, reply) => sent(reply, 'text/css; charset=utf-8', readFileSync(here('./page/page.css'), 'utf8')));
}

function sent(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply
    .headers({ 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-cache', 'cross-origin-opener-policy': 'same-origin' })
    .type(type).send(text);
}

async function bundle(): Promise<string> {
  const { outputFiles: [file] } = await build({
    entryPoints: [here('./page/browser.ts')], bundle: true, write: false, format: 'esm', platform: 'browser', target: 'es2022', minify: true, legalComments: 'none', logLevel: 'silent',
  });
  if (file === undefined) throw new Error('the bundler gave no file');
  return file.text;
}

const ORDER_WORDS: Readonly<Record<GatewayOrder, string>> = { chain: 'Chain', lag: 'Age of newest block', quiet: 'Longest silence', failures: 'Most refused', gaps: 'Most gaps' };
const STATE_NAMES: Readonly<Record<GatewayState, string>> = { forked: 'Forked', silent: 'Silent', current: 'Current' };

const optionsOf = (words: Readonly<Record<string, string>>): string => Object.entries(words).map(([value, word]) => `<option value="${value}">${word}</option>`).join('');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hospital node · Vitalgate</title>
<link rel="icon" href="${ICON}" type="image/svg+xml">
<link rel="stylesheet" href="${STYLE}">
<script type="module" src="${SCRIPT}"></script>
</head>
<body>
<header>
<h1 id="title" tabindex="-1">Hospital node <span id="name"></span></h1>
<div id="who" hidden><span>Signed in as <strong id="person"></strong></span><button type="button" id="sign-out">Sign out</button></div>
</header>
<main>
<noscript><p class="problem">This page needs JavaScript. "vitalgate upstream status" shows the same on a terminal.</p></noscript>
<form id="sign-in" hidden>
<label for="token">Token of an administrator</label>
<input type="text" autocomplete="username" value="administrator" hidden>
<input id="token" type="password" autocomplete="current-password" required spellcheck="false" aria-describedby="token-help sign-in-problem">
<p id="token-help">"vitalgate upstream token NAME" makes one, for somebody in upstream.people of the configuration.</p>
<button class="first">Sign in</button>
<p id="sign-in-problem" role="alert"></p>
</form>
<div id="node" hidden>
<p id="heard"></p>
<p id="trouble" role="alert"></p>
<div id="notices" aria-live="polite"></div>
<div id="facts"></div>
<h2 id="gateways-title">Gateways</h2>
<form id="filter" role="search" aria-label="Gateways">
<label>Name, key or chain begins with<input id="search" type="search" pattern="[A-Za-z0-9._\\-]*" autocomplete="off" spellcheck="false" size="14"></label>
<label>State<select id="state"><option value="">All</option>${optionsOf(STATE_NAMES)}</select></label>
<label>Sort by<select id="order">${optionsOf(ORDER_WORDS)}</select></label>
</form>
<table aria-labelledby="gateways-title">
<caption>Ages by the clock of the gateway that sealed the block; counts of this process since it started.</caption>
<thead><tr id="gateway-columns"></tr></thead>
<tbody id="gateway-rows"></tbody>
</table>
<p id="no-gateway" hidden>No gateway to show.</p>
<nav class="pages" aria-label="Pages of gateways"><button type="button" id="earlier">Earlier</button><span id="page-of"></span><button type="button" id="later">Later</button></nav>
<section id="outputs" hidden>
<h2 id="outputs-title">What leaves this node</h2>
<table aria-labelledby="outputs-title"><thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Behind</th><th scope="col">Took something</th><th scope="col">Last error</th></tr></thead><tbody id="output-rows"></tbody></table>
</section>
<h2>This node</h2>
<div id="about"></div>
</div>
<dialog id="details" aria-labelledby="details-title">
<div class="title"><h2 id="details-title"></h2><button type="button" id="details-close">Close</button></div>
<div id="details-body"></div>
</dialog>
</main>
<footer>Nothing on this page is about a patient. Where several processes share a store each has a page of its own: heads and forks are those of the store, counts those of the process. Vitalgate is not a certified medical device.</footer>
</body>
</html>
`;
