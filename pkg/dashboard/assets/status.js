// Opens and closes the panels of nodes without loading the page again. Without it, the same links
// load the page with the panel.
import { merge, restart } from './live.js';

async function show(url, focus) {
  const response = await fetch(url, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(response.statusText);
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const next = page.getElementById('cards');
  if (!next) throw new Error('not the page');
  merge(document.getElementById('cards'), document.adoptNode(next));
  restart(page.body.dataset.events || '');
  const at = focus || document.getElementById('panel-title');
  if (at) {
    at.focus({ preventScroll: true });
    at.scrollIntoView({ block: 'nearest' });
  }
}

// open goes to a link of the picture or of the panel; opener is what has the focus after a panel
// was closed.
function open(link) {
  const closing = link.classList.contains('close');
  const opener = closing ? document.querySelector('.flow .current') : null;
  show(link.href, opener).then(() => history.pushState(null, '', link.href), () => location.assign(link.href));
}

document.addEventListener('click', (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest('.flow a.at, a[data-panel]');
  if (!link) return;
  event.preventDefault();
  open(link);
});

document.addEventListener('keydown', (event) => {
  const close = event.key === 'Escape' && document.querySelector('#panel .close');
  if (close) open(close);
});

addEventListener('popstate', () => show(location.href).catch(() => location.reload()));
