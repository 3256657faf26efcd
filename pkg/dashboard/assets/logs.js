// The lines of the page of logs: follows the end, or keeps its place. It never has more than `most`
// lines, whatever comes.

const most = 2000;
const list = document.getElementById('log-lines');
const status = document.getElementById('log-status');
const droppedLine = document.getElementById('log-dropped');
const follow = document.getElementById('log-follow');
const end = document.getElementById('log-end');
const download = document.getElementById('log-download');

let paused = false; // by the button
let atEnd = true; // it was scrolled to the end
let held = []; // batches that came while the place is kept
let heldLines = 0;
let heldReset = false;
let dropped = 0;
let stale = true; // the lines are not of this stream
let moving = false; // this script scrolls, for so many more frames
let frames = 0;

const following = () => !paused && atEnd;

function show() {
  const lines = list.childElementCount;
  const count = lines === most ? `The last ${most} lines` : `${lines} ${lines === 1 ? 'line' : 'lines'}`;
  let text = following() ? `${count}, following` : `${count}, ${paused ? 'paused' : 'not at the end'}`;
  if (heldLines) text += `; ${heldLines >= most ? `${most} or more` : heldLines} new`;
  if (status.textContent !== text) status.textContent = text;
  follow.textContent = paused ? 'Follow' : 'Pause';
  follow.setAttribute('aria-pressed', String(!paused));
  end.hidden = following();
  droppedLine.hidden = !dropped;
  const said = dropped ? `${dropped.toLocaleString('en')} lines are not shown: they came faster than a page can show them. The download has those that are kept.` : '';
  if (droppedLine.textContent !== said) droppedLine.textContent = said;
}

function trim() {
  while (list.childElementCount > most) list.firstElementChild.remove();
}

// toEnd scrolls to the end. Lines have their height when they are seen, so that it takes some frames.
function toEnd() {
  frames = 4;
  list.scrollTop = list.scrollHeight;
  if (!moving) requestAnimationFrame(step);
  moving = true;
}

function step() {
  moving = frames-- > 0;
  if (!moving) return;
  list.scrollTop = list.scrollHeight;
  requestAnimationFrame(step);
}

// Whoever scrolls has the last word.
for (const hand of ['wheel', 'touchmove', 'keydown', 'pointerdown']) {
  list.addEventListener(hand, () => { frames = 0; }, { passive: true });
}

function add(batch) {
  if (batch.reset) {
    list.replaceChildren();
    dropped = 0;
    stale = false;
  }
  dropped += batch.dropped || 0;
  list.insertAdjacentHTML('beforeend', batch.html); // rendered by html/template: every text is escaped
  trim();
}

// hold keeps a batch for later: as many as a page can show, the newest.
function hold(batch) {
  if (batch.reset) {
    forget();
    heldReset = true;
  }
  held.push(batch);
  heldLines += batch.lines;
  while (held.length > 1 && heldLines - held[0].lines >= most) {
    const old = held.shift();
    heldLines -= old.lines;
    held[0].dropped = (held[0].dropped || 0) + (old.dropped || 0); // those of old scroll away, as if they had been shown
  }
}

function release() {
  if (heldReset && held.length) held[0].reset = true;
  for (const batch of held) add(batch);
  forget();
}

function forget() {
  held = [];
  heldLines = 0;
  heldReset = false;
}

function note(texts) {
  const notes = document.getElementById('log-notes');
  for (const text of texts || []) {
    const p = document.createElement('p');
    p.className = 'notice';
    p.setAttribute('role', 'status');
    p.textContent = text;
    notes.append(p);
  }
  while (notes.childElementCount > 5) notes.firstElementChild.remove();
}

document.addEventListener('krt:logs', ({ detail }) => {
  if (detail.reset) document.getElementById('log-notes').replaceChildren();
  note(detail.notes);
  if (following() || stale) {
    add(detail);
    if (following()) toEnd();
  } else {
    hold(detail);
  }
  show();
});

// The query has changed: nothing that is shown, or held, is of it.
document.addEventListener('krt:reconnect', () => {
  stale = true;
  paused = false;
  atEnd = true;
  forget();
  const url = new URL(download.href);
  url.search = location.search;
  download.href = url;
});

list.addEventListener('scroll', () => {
  if (moving && frames > 0) return;
  const was = atEnd;
  atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 8;
  if (atEnd && !was && !paused) {
    release();
    toEnd();
  }
  if (atEnd !== was) show();
}, { passive: true });

function resume() {
  paused = false;
  atEnd = true;
  release();
  toEnd();
  show();
}

follow.addEventListener('click', () => {
  if (paused) resume();
  else {
    paused = true;
    show();
  }
});
end.addEventListener('click', resume);
follow.hidden = false;
toEnd();
show();
