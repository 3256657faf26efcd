// Makes the buttons of texts to copy work: the text is in the element "code" before the button.

async function copy(code) {
  if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
  const range = document.createRange(); // a page without TLS from another machine has no clipboard
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  if (!document.execCommand('copy')) throw new Error('not copied');
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('.copy');
  if (!button) return;
  const code = button.parentElement.querySelector('code');
  const say = (text, name) => { button.textContent = text; button.setAttribute('aria-label', name); };
  try {
    await copy(code);
    say('Copied', 'Copied');
  } catch {
    say('Select it, and copy it', 'Select it, and copy it');
  }
  setTimeout(() => say('Copy', `Copy ${code.textContent}`), 2000);
});
