// Sends the form of the page Try without leaving the page: what the server responds with, the same
// page, takes the place of the form. Before it come the messages of a stream. Without this script the
// form works as forms do.
import { parse } from './live.js';

const busy = (root, text) => {
  root.setAttribute('aria-busy', text ? 'true' : 'false');
  document.getElementById('try-status').textContent = text;
};

// events are the server-sent events of a response.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split('\n');
    text = lines.pop();
    for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice(6));
  }
}

// show puts a part of the page in its place. A list of messages that was at its end stays there.
function show(part) {
  document.getElementById(part.id)?.replaceWith(parse(part.html));
  const list = document.querySelector(`#${part.id} .try-messages`);
  if (list) list.scrollTop = list.scrollHeight;
}

// follow shows what comes before the page, and returns the page.
async function follow(response, root, stop) {
  if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) return response.text();
  const button = document.getElementById('try-stop');
  button.hidden = false;
  button.onclick = () => stop.abort();
  busy(root, 'Receiving messages…');
  document.getElementById('try-result')?.remove(); // of the last request
  const live = document.createElement('div');
  live.id = 'try-live';
  document.getElementById('try-live').replaceWith(live); // of one that was stopped
  for await (const event of events(response)) {
    if (event.kind === 'fragment') show(event);
    if (event.kind === 'own' && event.name === 'page') return event.data;
    if (event.kind === 'gone') throw new Error(event.text);
  }
  throw new Error('the connection was lost');
}

async function send(form, button) {
  const root = document.getElementById('try');
  const sending = button.value.startsWith('send');
  const focused = document.activeElement?.name && document.activeElement.name !== 'do' ? document.activeElement.name : '';
  const data = new URLSearchParams(new FormData(form));
  const stop = new AbortController();
  data.set('do', button.value);
  busy(root, sending ? 'Sending the request…' : '');
  try {
    const headers = { Accept: 'text/event-stream, text/html' };
    const response = await fetch(form.action, { method: 'POST', body: data, credentials: 'same-origin', headers, signal: stop.signal });
    const page = new DOMParser().parseFromString(await follow(response, root, stop), 'text/html');
    const next = page.getElementById('try');
    if (!next) throw new Error(page.querySelector('main > section p, main > div p')?.textContent || response.statusText);
    root.replaceWith(next);
    const at = sending ? document.getElementById('try-result-title') : focused && document.getElementsByName(focused)[0];
    if (at) at.focus();
  } catch (error) {
    const text = stop.signal.aborted ? 'Stopped. What has come is shown.' : `There is no response: ${error.message}`;
    root.setAttribute('aria-busy', 'false');
    document.getElementById('try-status').textContent = text;
    document.getElementById('try-stop').hidden = true;
  }
}

document.addEventListener('submit', (event) => {
  if (event.target.id !== 'try-form') return;
  event.preventDefault();
  send(event.target, event.submitter);
});

// A choice decides which fields there are.
document.addEventListener('change', (event) => {
  if (event.target.matches('.try-choose select')) event.target.form.requestSubmit();
  if (event.target.matches('#try-form [data-refresh]')) event.target.form.requestSubmit(event.target.form.querySelector('[value="refresh"]'));
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !event.target.form || event.target.form.id !== 'try-form') return;
  const value = event.target.name === 'json' ? 'send-json' : 'send';
  event.target.form.requestSubmit(event.target.form.querySelector(`.button[value="${value}"]`));
});
