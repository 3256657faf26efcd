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
  const said = button.textContent;
  try {
    await copy(button.parentElement.querySelector('code'));
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Select it, and copy it';
  }
  setTimeout(() => { button.textContent = said; }, 2000);
});
