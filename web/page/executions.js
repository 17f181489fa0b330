// Executions of the workflow: a list, and one of them with its graph.
import { $, set, el, clock } from '/app.js';

let shown = null, turn = 0;

// state is how the execution is, in one word, and its class.
function state(x) {
  if (x.parked) return ['parked', 'parked'];
  return { RUNNING: ['in progress', 'running'], SUCCEEDED: ['succeeded', 'ok'], FAILED: ['failed', 'bad'], TIMED_OUT: ['timed out', 'bad'], ABORTED: ['stopped', 'ended'] }[x.status] ?? [x.status, 'ended'];
}
function pill(x) { const [word, cls] = state(x); return el('span', 'pill ' + cls, word); }
const when = t => { const d = new Date(t); return d.toDateString() === new Date().toDateString() ? clock(t) : d.toLocaleString(); };
const path = id => '/api/v1/executions/' + encodeURIComponent(id);
async function get(url) {
  const r = await fetch(url, { cache: 'no-store' });
  if (r.ok) return r.json();
  const p = await r.json().catch(() => ({ detail: r.statusText, remedy: 'load the page again' }));
  throw new Error(`${p.detail}: ${p.remedy}`);
}

async function list() {
  const wanted = $('runs-filter').value, mine = ++turn;
  set($('no-runs'), 'Loading');
  $('no-runs').hidden = false;
  try {
    const q = new URLSearchParams({ limit: 100 });
    if (wanted) q.set('status', wanted);
    const { executions } = await get('/api/v1/executions?' + q);
    if (mine !== turn) return;
    $('run-rows').replaceChildren(...executions.map(x => {
      const tr = el('tr'), name = el('button', 'link', x.name), note = el('td', 'note', x.parked || x.error || x.states.join(', '));
      tr.dataset.id = x.name;
      name.type = 'button';
      note.title = x.cause || note.textContent;
      const cells = [pill(x), when(x.startDate), name].map(c => { const td = el('td'); td.append(c); return td; });
      tr.append(...cells, note);
      return tr;
    }));
    set($('no-runs'), wanted ? 'None of these' : 'No executions yet');
    $('no-runs').hidden = executions.length > 0;
  } catch (e) { set($('no-runs'), e.message); }
}

// one opens an execution, or shows how it is now.
async function one(id) {
  shown = id;
  $('runs-list').hidden = true;
  $('run').hidden = false;
  $('runs-back').hidden = false;
  set($('runs-title'), 'Execution ' + id);
  $('run-error').hidden = true;
  try {
    const [x, h, svg] = await Promise.all([get(path(id)), get(path(id) + '/history'), fetch(path(id) + '/graph.svg', { cache: 'no-store' }).then(r => (r.ok ? r.text() : ''))]);
    if (shown !== id) return;
    $('run-state').replaceChildren(pill(x));
    set($('run-note'), [x.parked, x.error, x.cause].filter(Boolean).join(' · ') || (x.states.length ? 'at ' + x.states.join(', ') : ''));
    $('run-redrive').hidden = !x.parked && !['FAILED', 'ABORTED', 'TIMED_OUT'].includes(x.status);
    $('run-stop').hidden = x.status !== 'RUNNING';
    set($('run-stop'), 'Stop');
    $('run-graph').alt = `The states of the workflow; ${state(x)[0]}${x.states.length ? ' at ' + x.states.join(', ') : ''}. The table below has each step.`;
    $('run-open').href = path(id) + '/graph.svg';
    $('run-events').replaceChildren(...h.events.map(line));
    await picture(svg);
  } catch (e) { say(e.message); }
}
// picture shows the graph, and scrolls it to the state that matters.
async function picture(svg) {
  const img = $('run-graph'), box = img.parentElement, before = img.src;
  box.hidden = !svg;
  if (!svg) return;
  img.src = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  if (before) URL.revokeObjectURL(before);
  await img.decode().catch(() => {});
  const drawn = new DOMParser().parseFromString(svg, 'image/svg+xml');
  const now = [...drawn.querySelectorAll(['parked', 'failed', 'waiting', 'retrying', 'running'].map(c => '.state.' + c).join())].at(-1);
  const name = (now ?? drawn).querySelector('.name');
  if (name) box.scrollTo(Number(name.getAttribute('x')) - box.clientWidth / 2, now ? Number(name.getAttribute('y')) - box.clientHeight / 2 : 0);
}
function line(e) {
  const tr = el('tr'), data = el('td', 'note');
  const said = [e.error, e.cause].filter(Boolean).join(': ');
  if (said) data.append(el('span', '', said));
  for (const what of ['input', 'output']) {
    if (e[what] === undefined) continue;
    const d = el('details');
    d.append(el('summary', '', what), el('pre', '', JSON.stringify(e[what], null, 2)));
    data.append(d);
  }
  tr.append(el('td', 'num', e.n), el('td', '', when(e.at)), el('td', '', e.kind), el('td', '', e.state ?? ''), data);
  return tr;
}
function say(problem) { set($('run-error'), problem); $('run-error').hidden = false; }

async function order(url, body) {
  const headers = { 'Content-Type': 'application/json' }, token = $('run-token').value || sessionStorage.getItem('token'), id = shown;
  if (token) headers.Authorization = 'Bearer ' + token;
  const buttons = [$('run-redrive'), $('run-stop')];
  buttons.forEach(b => { b.disabled = true; });
  try {
    const r = await fetch(url, { method: 'POST', headers, body });
    if (r.ok) {
      if (token) sessionStorage.setItem('token', token);
      await one(id);
    } else {
      const answer = await r.json();
      if (r.status === 401) { $('run-token-row').hidden = false; sessionStorage.removeItem('token'); $('run-token').focus(); }
      say(`${answer.detail}: ${answer.remedy}`);
    }
  } catch { say('The inspector cannot be reached; nothing was changed. Try again.'); }
  buttons.forEach(b => { b.disabled = false; });
}

function open(id) {
  if (!$('runs').open) $('runs').showModal();
  if (id) return one(id);
  back();
}
function back() {
  shown = null;
  $('run').hidden = true;
  $('runs-back').hidden = true;
  $('runs-list').hidden = false;
  set($('runs-title'), 'Executions');
  list();
}

$('runs-open').addEventListener('click', () => open());
$('board-run').addEventListener('click', () => { const { id } = $('board').dataset; $('board').close(); open(id); });
$('runs-close').addEventListener('click', () => $('runs').close());
$('runs').addEventListener('click', e => { if (e.target === $('runs')) $('runs').close(); });
$('runs').addEventListener('close', () => { shown = null; });
$('runs-back').addEventListener('click', back);
$('runs-filter').addEventListener('change', list);
$('runs-again').addEventListener('click', list);
$('run-again').addEventListener('click', () => one(shown));
$('run-redrive').addEventListener('click', () => order(path(shown) + '/redrive'));
$('run-stop').addEventListener('click', e => {
  if (e.target.textContent === 'Stop') return set(e.target, 'Stop for good: nothing more is delivered');
  order('/api/v1/states/StopExecution', JSON.stringify({ name: shown, error: 'Stopped', cause: 'stopped on the page', by: localStorage.getItem('name') || 'page' }));
});
$('run-rows').addEventListener('click', e => { const tr = e.target.closest('tr'); if (tr) one(tr.dataset.id); });
