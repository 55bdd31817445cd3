/** One HTML file that verifies in a browser what "vitalgate verify" verifies, bundled from the same modules. It asks no server for anything. */

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The page. The content security policy lets run what is in it, by hash, and lets nothing in or out. */
export async function pageText(): Promise<string> {
  const script = await bundle();
  const csp = [`default-src 'none'`, `script-src '${hashOf(script)}'`, `style-src '${hashOf(STYLE)}'`, `base-uri 'none'`, `form-action 'none'`].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Vitalgate verifier</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Is it in the chain?</h1>
<p>This page checks proofs of a Vitalgate chain on this computer. It needs no network and sends nothing anywhere: save it, and open it without one.</p>
<label for="files" id="drop"><strong>Drop a file here, or choose one</strong>
<span>a proof (.tlog-proof), a COSE receipt and its entry, the evidence of a fork, a chain (.chain), or a policy</span>
<input type="file" id="files" multiple></label>
<div id="results" role="status" aria-live="polite"></div>
<label for="policy">Policy</label>
<textarea id="policy" rows="8" spellcheck="false" autocomplete="off" placeholder="log vitalgate/…"></textarea>
<p id="policy-state" role="status"></p>
</main>
<footer>Vitalgate is not a certified medical device. What is verified is that something was recorded and by whom, not that it is true.</footer>
<script type="module">${script}</script>
</body>
</html>
`;
}

const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;

async function bundle(): Promise<string> {
  const { outputFiles: [file] } = await build({
    entryPoints: [here('./browser.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
    inject: [here('./web-buffer.ts')],
    define: { global: 'globalThis' },
    alias: { 'node:crypto': here('./web-crypto.ts'), 'node:timers/promises': here('./web-crypto.ts') },
  });
  if (file === undefined) throw new Error('the bundler gave no file');
  // Inside a script element a text that closes it would end it.
  return file.text.replaceAll('</script', String.raw`<\/script`);
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 52rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
#drop { display: block; border: 3px dashed #6b7c93; border-radius: .75rem; padding: 2rem; text-align: center; cursor: pointer; margin: 1rem 0; }
#drop.over, #drop:focus-within { border-color: #1d6fdc; background: #1d6fdc1a; }
#drop span { display: block; margin: .5rem 0 1rem; }
section { border-left: .6rem solid #6b7c93; background: #8881; padding: .75rem 1.25rem; margin: 1rem 0; border-radius: .4rem; overflow-wrap: anywhere; }
section h2 { margin: 0; font-size: 1.35rem; }
section p, section pre { margin: .4rem 0; white-space: pre-wrap; }
section .file { opacity: .75; }
section.good { border-color: #1a7f37; } section.good h2 { color: #1a7f37; }
section.bad { border-color: #c62828; } section.bad h2, .bad { color: #c62828; }
section.not-final { border-color: #b26a00; } section.not-final h2 { color: #b26a00; }
textarea { width: 100%; box-sizing: border-box; font: .85rem/1.4 ui-monospace, monospace; }
footer { margin-top: 2rem; font-size: .85rem; opacity: .8; }
@media (prefers-color-scheme: dark) { section.good h2 { color: #56d364; } section.bad h2, .bad { color: #ff7b72; } section.not-final h2 { color: #f0b95b; } }
@media print { #drop, label[for=policy] { display: none; } }
`;
