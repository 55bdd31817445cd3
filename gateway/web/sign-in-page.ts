/** The page on which people say who they are, where nothing else does that yet. It asks nobody but this gateway. */

import { createHash } from 'node:crypto';

const SCRIPT = `
const form = document.querySelector('form');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const said = document.querySelector('[role=alert]');
  said.textContent = '';
  try {
    const answer = await fetch('/api/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token: form.elements.token.value.trim() }) });
    if (answer.ok) return location.reload();
    said.textContent = (await answer.json()).message;
  } catch {
    said.textContent = 'The gateway does not answer.';
  }
});
`;

const STYLE = `
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif; }
body { max-width: 28rem; margin: 4rem auto; padding: 0 1rem; }
input, button { font: inherit; width: 100%; box-sizing: border-box; min-height: 3rem; margin: 0.3rem 0 1rem; padding: 0 0.8rem; }
[role=alert] { color: light-dark(#b00020, #ff8a80); }
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;

/** For the header Content-Security-Policy: what stands in the page, and requests to this gateway. */
export const SIGN_IN_POLICY = `default-src 'none'; script-src ${hashOf(SCRIPT)}; style-src ${hashOf(STYLE)}; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'`;

export const SIGN_IN_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Vitalgate</title>
<style>${STYLE}</style>
<h1>Vitalgate</h1>
<p>Not a certified medical device.</p>
<form>
  <label>Your token <input name="token" type="password" autocomplete="current-password" required autofocus placeholder="vgt_…"></label>
  <button>Sign in</button>
  <p role="alert"></p>
</form>
<script>${SCRIPT}</script>
</html>
`;
