// Keeps the page up to date: one stream of server-sent events, whose fragments are merged into the
// page so that focus, selection, scrolling and open details stay as they are.
// Page scripts listen to "krt:<name>" (their own events), "krt:merged" and "krt:reconnect".

const body = document.body;
document.documentElement.classList.add('scripted');

// Merging ------------------------------------------------------------------------------------

// merge makes the element old like the element new, keeping the nodes that are the same.
export function merge(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || (old.id || '') !== (next.id || '')) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
    return;
  }
  if (old.isEqualNode(next) || old.hasAttribute('data-keep')) return;
  mergeAttributes(old, next);
  if (old === document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(old.nodeName)) return; // somebody types
  mergeChildren(old, next);
}

function mergeAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !(name === 'open' && old.nodeName === 'DETAILS')) old.removeAttribute(name);
  }
  for (const { name, value } of [...next.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function mergeChildren(old, next) {
  const byID = new Map();
  for (const child of old.children) if (child.id) byID.set(child.id, child);
  const kept = new Set([...next.children].map((child) => child.id));
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id && byID.get(child.id);
    if (same) {
      while (at && at !== same && !(at.id && kept.has(at.id))) at = remove(at); // or all after what is gone would move
      if (same === at) at = at.nextSibling;
      else move(same, at);
      merge(same, child);
    } else if (at && !child.id && !at.id && at.nodeName === child.nodeName) {
      const following = at.nextSibling;
      merge(at, child);
      at = following;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) at = remove(at);
}

// remove returns the node after the one that it removes.
function remove(node) {
  const following = node.nextSibling;
  node.remove();
  return following;
}

// move puts an element before another one of its parent. What is moved loses the focus.
function move(element, before) {
  const focused = element.contains(document.activeElement) && document.activeElement;
  element.parentNode.insertBefore(element, before);
  if (focused) focused.focus({ preventScroll: true });
}

export function parse(html) {
  const holder = document.createElement('template');
  holder.innerHTML = html; // rendered by html/template: every text is escaped
  return holder.content.firstElementChild;
}

function replace(id, html) {
  const old = document.getElementById(id);
  const next = parse(html);
  if (!old || !next) return;
  times(next);
  merge(old, next);
  document.dispatchEvent(new CustomEvent('krt:merged', { detail: id }));
}

// Times --------------------------------------------------------------------------------------

const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];

function relative(ms) {
  const seconds = Math.round(ms / 1000);
  const abs = Math.abs(seconds);
  if (abs < 5) return 'now';
  const [unit, size] = units.find(([, size]) => abs >= size);
  const text = `${Math.floor(abs / size)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

// times shows the times below root relative to now; the exact ones are their titles.
function times(root) {
  for (const t of root.querySelectorAll('time[datetime]:not([data-exact])')) {
    if (!t.title) t.title = t.textContent;
    const text = relative(Date.now() - Date.parse(t.dateTime));
    if (t.textContent !== text) t.textContent = text;
  }
}

setInterval(() => times(document), 15000);
times(document);

// The stream ---------------------------------------------------------------------------------

const line = document.getElementById('connection');
const silence = 40000; // the server sends something every 15 s
let source = null;
let last = '';
let heard = 0;
let failures = 0;
let timer = 0;
let over = false;
let reason = ''; // why there is no stream, as the server says it

function show(text) {
  if (line.textContent !== text) line.textContent = text;
  line.hidden = !text;
}

function close() {
  clearTimeout(timer);
  if (source) source.close();
  source = null;
}

function open() {
  close();
  if (over || !body.dataset.events) return;
  const url = new URL(body.dataset.events, location.href);
  if (last) url.searchParams.set('last', last);
  const opened = heard = Date.now();
  source = new EventSource(url);
  source.onmessage = (event) => {
    heard = Date.now();
    reason = '';
    if (heard - opened > 5000) failures = 0; // not yet if the stream ends as soon as it is open
    if (event.lastEventId) last = event.lastEventId;
    receive(JSON.parse(event.data));
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) why(url); // the server has responded, and not with a stream
    retry();
  };
}

// why shows what the server says instead of a stream, which an EventSource does not read.
async function why(url) {
  const stop = new AbortController();
  const response = await fetch(url, { credentials: 'same-origin', signal: stop.signal }).catch(() => null);
  if (!response || response.ok) return stop.abort(); // it goes on
  const text = await response.text();
  const page = /html/.test(response.headers.get('Content-Type')) && new DOMParser().parseFromString(text, 'text/html');
  reason = (page ? page.querySelector('main p')?.textContent : text) || response.statusText;
  switch (response.status) {
    case 401: receive({ kind: 'gone', text: 'You are not signed in any more. Load this page again.' }); break;
    case 404: receive({ kind: 'gone', text: reason }); break;
    default: receive({ kind: 'problem', text: reason });
  }
}

function retry() {
  close();
  if (over || document.hidden) return;
  failures++;
  if (failures > 1 && !reason) show('Disconnected: what is shown may be old. Trying to connect again.');
  timer = setTimeout(open, Math.min(30000, 500 * 2 ** Math.min(failures, 6)) * (0.75 + Math.random() / 2));
}

function receive(message) {
  switch (message.kind) {
    case 'fragment': replace(message.id, message.html); break;
    case 'own': document.dispatchEvent(new CustomEvent(`krt:${message.name}`, { detail: message.data })); break;
    case 'beat': show(''); break;
    case 'problem': show(`What is shown may be old: ${message.text}`); break;
    case 'gone': over = true; close(); show(message.text); break;
  }
}

// restart opens the stream of another query of this page.
export function restart(events) {
  body.dataset.events = events;
  last = '';
  document.dispatchEvent(new CustomEvent('krt:reconnect'));
  open();
}

setInterval(() => {
  if (source && Date.now() - heard > silence) retry(); // the machine slept, or the network went away
}, 10000);

// A page that nobody sees holds no connection: browsers allow six to a server.
let hiding = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(close, 5000);
  else if (!source || Date.now() - heard > silence) { failures = 0; open(); }
});
addEventListener('online', () => { failures = 0; open(); });
addEventListener('pagehide', close);
addEventListener('pageshow', (event) => { if (event.persisted) open(); });
open();

// On a phone the pages of a version are a line that scrolls: the current one is shown.
const tabs = document.querySelector('.side nav'), here = tabs?.querySelector('[aria-current]');
if (here) tabs.scrollLeft = here.offsetLeft - (tabs.clientWidth - here.offsetWidth) / 2;

// Filters --------------------------------------------------------------------------------------

// A form with data-live filters while somebody types: the page of its query is merged in.
let asked = 0;

async function filter(form) {
  const mine = ++asked;
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.append(name, value);
  const response = await fetch(url, { credentials: 'same-origin' });
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  if (mine !== asked) return;
  if (!response.ok) throw new Error(response.statusText); // the page of the query says why
  history.replaceState(null, '', url);
  const next = page.getElementById('main');
  times(next);
  for (const child of [...next.children]) {
    const old = child.id && document.getElementById(child.id);
    if (old && child.id !== 'connection') merge(old, child);
    else if (child.classList.contains('title')) merge(document.querySelector('#main > .title'), child);
  }
  restart(page.body.dataset.events || '');
}

document.addEventListener('input', (event) => {
  const form = event.target.closest('form[data-live]');
  if (!form) return;
  clearTimeout(form.timer);
  form.timer = setTimeout(() => filter(form).catch(() => form.submit()), 200);
});
