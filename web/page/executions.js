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

// parked lists what was refused for good, of the target that is chosen.
async function parked(mine) {
  const target = $('parked-target').value, q = new URLSearchParams({ limit: 500 });
  if (target) q.set('target', target);
  const { parked, page } = await get('/api/v1/parked?' + q);
  if (mine !== turn) return;
  for (const name of new Set(parked.map(p => p.target))) {
    if (![...$('parked-target').options].some(o => o.value === name)) $('parked-target').append(new Option(name, name));
  }
  $('parked-rows').replaceChildren(...parked.map(p => {
    const tr = el('tr'), name = el('button', 'link', p.execution);
    tr.dataset.id = p.execution;
    name.type = 'button';
    const cells = [p.target, when(p.since), name, p.state].map(c => { const td = el('td'); td.append(c); return td; });
    tr.append(...cells, el('td', 'note', p.reason));
    return tr;
  }));
  $('parked-redrive').hidden = !parked.length;
  if (page) set($('parked-note'), `the first ${parked.length} are shown`);
  set($('no-runs'), 'Nothing is parked');
  $('no-runs').hidden = parked.length > 0;
}
// redrive tries again all that is parked, of the target that is chosen.
async function redrive() {
  const token = $('parked-token').value || sessionStorage.getItem('token'), headers = json(token);
  const body = { target: $('parked-target').value, maxResults: 1000, by: localStorage.getItem('name') || 'page' };
  let done = 0, not = 0;
  $('parked-redrive').disabled = true;
  try {
    do {
      const r = await fetch('/api/v1/states/RedriveParked', { method: 'POST', headers, body: JSON.stringify(body) }), answer = await r.json();
      if (!r.ok) {
        if (r.status === 401) { $('parked-token-row').hidden = false; sessionStorage.removeItem('token'); }
        throw new Error(`${answer.detail}: ${answer.remedy}`);
      }
      done += answer.redriven.length;
      not += Object.keys(answer.refused ?? {}).length;
      body.nextToken = answer.nextToken;
    } while (body.nextToken);
    if (token) sessionStorage.setItem('token', token);
    set($('parked-note'), `${done} tried again${not ? `, ${not} not: nobody handles them` : ''}`);
  } catch (e) { set($('parked-note'), e.message); }
  $('parked-redrive').disabled = false;
  list();
}

async function list() {
  const wanted = $('runs-filter').value, mine = ++turn;
  set($('no-runs'), 'Loading');
  $('no-runs').hidden = false;
  $('parked').hidden = wanted !== 'PARKED';
  $('runs-table').hidden = wanted === 'PARKED';
  if (wanted === 'PARKED') $('run-rows').replaceChildren();
  try {
    if (wanted === 'PARKED') return await parked(mine);
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
    await amendable(id, x);
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
// json is the head of an order, with the token if there is one.
function json(token = sessionStorage.getItem('token')) {
  return { 'Content-Type': 'application/json', ...(token && { Authorization: 'Bearer ' + token }) };
}
// amendable shows the input of a parked task, to be edited.
async function amendable(id, x) {
  $('amend').hidden = true;
  if (!x.parked) return;
  const r = await fetch('/api/v1/states/DescribeParkedTask', { method: 'POST', headers: json(), body: JSON.stringify({ name: id }) });
  if (!r.ok || shown !== id) return; // from another host it needs a token; of two tasks that are parked the command line edits one
  $('amend-input').value = JSON.stringify((await r.json()).input, null, 2);
  $('amend-by').value ||= localStorage.getItem('name') || '';
  $('amend').hidden = false;
}
function say(problem) { set($('run-error'), problem); $('run-error').hidden = false; }

async function order(url, body) {
  const token = $('run-token').value || sessionStorage.getItem('token'), id = shown, headers = json(token);
  const buttons = [$('run-redrive'), $('run-stop'), ...$('amend').querySelectorAll('button')];
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
// waiting opens the list of what is parked for the target.
function waiting(target) {
  if (![...$('parked-target').options].some(o => o.value === target)) $('parked-target').append(new Option(target, target));
  $('parked-target').value = target;
  $('runs-filter').value = 'PARKED';
  set($('parked-note'), '');
  open();
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
$('queues').addEventListener('click', e => { const { parked } = e.target.dataset; if (parked !== undefined) waiting(parked); });
$('parked-target').addEventListener('change', list);
$('parked-redrive').addEventListener('click', redrive);
$('parked-rows').addEventListener('click', e => { const tr = e.target.closest('tr'); if (tr) one(tr.dataset.id); });
$('amend').addEventListener('submit', e => {
  e.preventDefault();
  let input;
  try { input = JSON.parse($('amend-input').value); } catch (bad) { return say('The input is not JSON: ' + bad.message); }
  localStorage.setItem('name', $('amend-by').value);
  order('/api/v1/states/AmendTask', JSON.stringify({ name: shown, input, by: $('amend-by').value }));
});
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
