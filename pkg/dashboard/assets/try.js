// Sends the form of the page Try without leaving the page: what the server responds with, the same
// page, takes the place of the form. Without this script the form works as forms do.

const busy = (root, text) => {
  root.setAttribute('aria-busy', text ? 'true' : 'false');
  document.getElementById('try-status').textContent = text;
};

async function send(form, button) {
  const root = document.getElementById('try');
  const sending = button.value.startsWith('send');
  const focused = document.activeElement?.name && document.activeElement.name !== 'do' ? document.activeElement.name : '';
  const data = new URLSearchParams(new FormData(form));
  data.set('do', button.value);
  busy(root, sending ? 'Sending the request…' : '');
  try {
    const response = await fetch(form.action, { method: 'POST', body: data, credentials: 'same-origin' });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const next = page.getElementById('try');
    if (!next) throw new Error(page.querySelector('main > section p, main > div p')?.textContent || response.statusText);
    root.replaceWith(next);
    const at = sending ? document.getElementById('try-result-title') : focused && document.getElementsByName(focused)[0];
    if (at) at.focus();
  } catch (error) {
    busy(root, `It was not sent: ${error.message}`);
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
