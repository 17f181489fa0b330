// The page: one event stream, no polling. Data is put in with textContent only.
export const $ = id => document.getElementById(id);
const words = { pass: 'Pass', fail: 'Fail', unsure: 'Unsure' };
const known = v => (v in words ? v : 'unsure'); // what we cannot read is not a pass
const maxRows = 200;

let records = new Map(); // by id
let seen = new Map(); // by frame number, of this start of the appliance only
let status = null, older = '', current = null, shown = null, open = null;

// set changes the text only if it differs, so that screen readers stay calm.
export function set(node, text) { if (node.textContent !== String(text)) node.textContent = text; }
export function el(tag, cls, text) {
  const n = document.createElement(tag);
  if (cls) n.className = cls;
  if (text !== undefined) n.textContent = text;
  return n;
}
function svg(tag, attributes) {
  const n = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [k, v] of Object.entries(attributes)) n.setAttribute(k, v);
  return n;
}
function icon(name) { const s = svg('svg', { 'aria-hidden': 'true' }); s.append(svg('use', { href: '#i-' + name })); return s; }
const row = id => Number(id.slice(id.lastIndexOf('-') + 1)); // order by row, never by time
const label = r => r.serial || '#' + row(r.id);
export const clock = t => new Date(t).toLocaleTimeString([], { hour12: false });
const worst = r => r.defects.reduce((w, d) => (!w || d.score > w.score ? d : w), null);
function span(seconds) {
  if (seconds < 1) return '–';
  if (seconds < 90) return Math.round(seconds) + ' s';
  if (seconds < 5400) return Math.round(seconds / 60) + ' min';
  return seconds < 172800 ? Math.round(seconds / 3600) + ' h' : Math.round(seconds / 86400) + ' d';
}

// boxes draws the defects of r crisply over a picture.
function boxes(layer, r) {
  layer.replaceChildren();
  if (!r || !r.width || !r.height) return;
  layer.setAttribute('viewBox', `0 0 ${r.width} ${r.height}`);
  layer.setAttribute('class', known(r.verdict) === 'unsure' ? 'unsure-boxes' : '');
  const { width, height } = layer.getBoundingClientRect();
  if (!width || !height) return;
  const px = Math.max(r.width / width, r.height / height); // one screen pixel in the picture's
  for (const d of r.defects) {
    const b = d.box;
    const outline = d.polygon?.length > 2 ? { tag: 'polygon', at: { points: d.polygon.map(p => `${p.x},${p.y}`).join(' ') } }
      : { tag: 'rect', at: { x: b.left, y: b.top, width: Math.max(0, b.right - b.left), height: Math.max(0, b.bottom - b.top) } };
    layer.append(svg(outline.tag, { class: 'box-under', ...outline.at }), svg(outline.tag, { class: 'box', ...outline.at }));
    const text = svg('text', { class: 'box-label', 'font-size': 13 * px, x: 0, y: 0 });
    text.textContent = `${d.class} ${score(d.score)}`;
    layer.append(text);
    const w = text.getComputedTextLength() + 8 * px, h = 18 * px;
    const x = Math.max(0, Math.min(b.left, r.width - w)), y = b.top - h - 3 * px >= 0 ? b.top - h - 3 * px : Math.min(b.bottom + 3 * px, r.height - h);
    text.setAttribute('x', x + 4 * px);
    text.setAttribute('y', y + 13.5 * px);
    layer.insertBefore(svg('rect', { class: 'box-plate', x, y, width: w, height: h, rx: 3 * px }), text);
  }
}

// The live picture: newest wins here, too. A judged one stays for a moment.
let wanted = null, loading = false, heldUntil = 0;
async function load() {
  if (loading || wanted === null || document.hidden) return;
  loading = true;
  const n = wanted;
  wanted = null;
  try {
    const r = await fetch('/api/v1/live.jpg?n=' + n, { cache: 'no-store' });
    if (r.ok) {
      const seq = Number(r.headers.get('Picture-Seq'));
      const url = URL.createObjectURL(await r.blob());
      if (seen.has(seq) || Date.now() > heldUntil) {
        const img = $('live'), before = img.src;
        img.src = url;
        await img.decode().catch(() => {});
        if (before) URL.revokeObjectURL(before);
        shown = seq;
        img.hidden = false;
        $('no-picture').hidden = true;
        label_live();
      } else URL.revokeObjectURL(url);
    }
  } catch { /* the stream tells of a lost connection */ }
  loading = false;
  load();
}
function label_live() {
  const r = seen.get(shown);
  if (r) heldUntil = Date.now() + 2000;
  boxes($('live-boxes'), r);
  set($('camera-note'), r ? `${label(r)} · ${words[known(r.verdict)]}` : '');
}

// nothing shows that there is no verdict to trust.
function nothing(word, reason) {
  $('verdict').className = 'waiting';
  $('verdict-icon').setAttribute('href', '#i-waiting');
  set($('word'), word);
  set($('reason'), reason);
  $('who').hidden = true;
  document.title = word + ' – Inspector';
}
// now shows r as the verdict, unless a newer one is there.
function now(r) { if (!current || row(r.id) >= row(current.id)) verdict(r); }
// The verdict, 2 m away.
function verdict(r) {
  const v = known(r.verdict);
  current = r;
  $('verdict').className = v;
  $('verdict-icon').setAttribute('href', '#i-' + v);
  set($('word'), words[v]);
  set($('reason'), r.reason || (v === 'unsure' ? 'A person must look' : ''));
  set($('who-board'), label(r));
  set($('who-time'), clock(r.at));
  set($('who-missed'), r.missed);
  $('who-missed-row').hidden = !r.missed;
  $('who').hidden = false;
  document.title = `${words[v]} – ${label(r)} – Inspector`;
}

function line(r) {
  const v = known(r.verdict), tr = el('tr'), tag = el('span', 'tag ' + v), w = worst(r);
  tr.dataset.id = r.id;
  tag.append(icon(v), words[v]);
  const button = el('button', '', label(r));
  button.type = 'button';
  button.setAttribute('aria-haspopup', 'dialog');
  const bad = el('span', 'worst');
  bad.append(el('span', '', w ? w.class : '–'), w ? score(w.score) : '');
  if (r.disposition) bad.append(el('span', 'chip', r.disposition.decision));
  const cells = [tag, clock(r.at), button, r.recipe, bad].map(c => { const td = el('td'); td.append(c); return td; });
  cells[3].className = 'wide';
  tr.append(...cells);
  return tr;
}

// keep remembers r, or how it is now, and shows it where it belongs.
function keep(r) {
  records.set(r.id, r);
  if (open === r.id) board(r);
  const rows = $('rows'), old = [...rows.children].find(tr => tr.dataset.id === r.id);
  if ($('filter').value && $('filter').value !== r.verdict) return;
  if (older && row(r.id) < row(older)) return; // its page is not loaded
  const focused = old?.contains(document.activeElement);
  const tr = line(r);
  if (old) old.replaceWith(tr);
  else rows.insertBefore(tr, [...rows.children].find(o => row(o.dataset.id) < row(r.id)) ?? null);
  if (focused) tr.querySelector('button').focus();
  $('no-rows').hidden = true;
}
function trim() {
  const rows = $('rows');
  while (rows.children.length > maxRows) {
    const id = rows.lastChild.dataset.id;
    if (id !== open) records.delete(id);
    rows.lastChild.remove();
    older = rows.lastChild.dataset.id;
    $('older').hidden = false;
  }
}
async function newest() {
  const r = await fetch('/api/v1/inspections?limit=1');
  if (!r.ok) return nothing('Unknown', 'the newest verdict cannot be read; load the page again');
  const [i] = (await r.json()).inspections;
  if (i) now(i);
  else nothing('Waiting', 'for the first board');
}
async function list(before) {
  const q = new URLSearchParams({ limit: 50 });
  if ($('filter').value) q.set('verdict', $('filter').value);
  if (before) q.set('before', before);
  const r = await fetch('/api/v1/inspections?' + q);
  if (!r.ok) return set($('no-rows'), 'The list cannot be read; load the page again');
  const page = await r.json();
  if (!before) $('rows').replaceChildren();
  older = '';
  for (const i of page.inspections) {
    keep(i);
    if (status && i.seq && i.at >= status.started) seen.set(i.seq, i);
  }
  older = page.next ?? '';
  $('older').hidden = !older;
  set($('no-rows'), $('filter').value ? 'None of these yet' : 'No verdicts yet');
  $('no-rows').hidden = $('rows').children.length > 0;
}

// board opens one board, or shows how it is now.
function board(r) {
  const v = known(r.verdict), d = $('board');
  open = r.id;
  d.dataset.id = r.id;
  d.className = v;
  $('board-icon').setAttribute('href', '#i-' + v);
  set($('board-title'), `${words[v]} · ${label(r)}`);
  set($('board-reason'), r.reason);
  $('defect-rows').replaceChildren(...r.defects.map(x => {
    const tr = el('tr');
    tr.append(el('td', '', x.class), el('td', 'num', score(x.score)), el('td', 'num', `${Math.round(x.box.left)}, ${Math.round(x.box.top)}`));
    return tr;
  }));
  $('defects').hidden = !r.defects.length;
  const took = Object.entries(r.timings).filter(([, ns]) => ns > 0).map(([k, ns]) => `${k.replace('_ns', '')} ${(ns / 1e6).toFixed(1)} ms`).join(', ');
  const l = r.registration, lay = l && [`${l.right.toFixed(1)} px to the right`, `${l.down.toFixed(1)} px down`, `turned ${l.turn.toFixed(2)}°`,
    l.etch && `copper ${l.etch > 0 ? 'wider' : 'narrower'} by ${Math.abs(l.etch).toFixed(1)} px at each edge`].filter(Boolean).join(', ');
  const facts = { Board: r.serial, Code: r.code, Inspection: r.id, Time: new Date(r.at).toLocaleString(), Recipe: r.recipe, Model: r.model, Runtime: r.runtime, Asked: r.trigger.request ? `${r.trigger.source} ${r.trigger.request}` : r.trigger.source, Lay: lay, Took: took, Missed: r.missed ? `${r.missed} frames just before` : '' };
  $('board-facts').replaceChildren(...Object.entries(facts).filter(([, x]) => x).flatMap(([k, x]) => [el('dt', '', k), el('dd', '', x)]));
  const p = r.disposition;
  set($('decided'), p ? `Decided: ${p.decision}${p.decision === 'release' ? ' (false call)' : ''} by ${p.by}, ${new Date(p.at).toLocaleString()}${p.note ? ' – ' + p.note : ''}` : '');
  $('decided').hidden = !p;
  const a = r.acknowledged;
  set($('seen'), a ? `Seen by ${a.by}, ${new Date(a.at).toLocaleString()}` : '');
  $('seen').hidden = !a;
  $('acknowledge').hidden = Boolean(a);
  $('decide').hidden = Boolean(p) || v === 'pass';
  const image = r.evidence.some(b => b.kind === 'image'), still = $('still'), src = `/api/v1/inspections/${encodeURIComponent(r.id)}/evidence/image`;
  if (image && still.getAttribute('src') !== src) still.src = src;
  still.hidden = !image;
  still.alt = `Board ${label(r)}: ${r.defects.map(x => x.class).join(', ') || 'no defects'}`;
  $('no-still').hidden = image;
  if (!d.open) { $('by').value ||= localStorage.getItem('name') ?? ''; $('decide-error').hidden = true; $('note').value = ''; d.showModal(); }
  boxes($('still-boxes'), r);
}
async function find(id) {
  if (records.has(id)) return board(records.get(id));
  const r = await fetch('/api/v1/inspections/' + encodeURIComponent(id));
  if (r.ok) { const i = await r.json(); records.set(i.id, i); board(i); }
}
async function decide(e) {
  e.preventDefault();
  const say = (problem) => { set($('decide-error'), problem); $('decide-error').hidden = false; };
  const buttons = e.target.querySelectorAll('button'), headers = { 'Content-Type': 'application/json' };
  const token = $('token').value || sessionStorage.getItem('token');
  if (token) headers.Authorization = 'Bearer ' + token;
  $('decide-error').hidden = true;
  buttons.forEach(b => { b.disabled = true; });
  try {
    const by = $('by').value, seen = e.submitter.value === 'acknowledge';
    const r = await fetch(`/api/v1/inspections/${encodeURIComponent(open)}/${seen ? 'acknowledgement' : 'disposition'}`, { method: 'POST', headers,
      body: JSON.stringify(seen ? { by } : { decision: e.submitter.value, by, note: $('note').value }) });
    const answer = await r.json();
    if (r.ok) {
      localStorage.setItem('name', by);
      if (token) sessionStorage.setItem('token', token);
      keep(answer);
      $('board-close').focus();
    } else {
      if (r.status === 401) { $('token-row').hidden = false; sessionStorage.removeItem('token'); $('token').focus(); }
      say(`${answer.detail}: ${answer.remedy}`);
    }
  } catch { say('The inspector cannot be reached; nothing was changed. Try again.'); }
  buttons.forEach(b => { b.disabled = false; });
}

const lanes = {
  token: 'waiting for a person', timer: 'retries', 'inspector:alert': 'alerts', 'inspector:publish': 'results', 'inspector:quarantine': 'quarantine',
  'inspector:review': 'reviews', 'inspector:close': 'closing', 'arn:aws:states:::aws-sdk:s3:putObject': 'pictures and records', 'arn:aws:states:::sqs:sendMessage': 'queue messages',
};
// A score is never rounded up: at or above a limit must look so.
const score = x => (Math.floor(x * 100 + 1e-4) / 100).toFixed(2);
const marks = { ok: 'pass', degraded: 'unsure', down: 'fail' };
const pills = { ok: 'ok', draining: 'running', parked: 'parked', failing: 'bad' };
const rate = n => (n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString()) + '/s';
// row_of is a line of the queues: cells, then numbers; what is parked opens a list of it.
function row_of(cells, depth, oldest, pace, done, parked, target = '') {
  const tr = el('tr'), last = el('td', 'num' + (parked ? ' alarm' : ''), parked ? '' : '0');
  if (parked) {
    const b = el('button', 'link alarm', '⚠ ' + parked.toLocaleString());
    b.type = 'button';
    b.dataset.parked = target;
    last.append(b);
  }
  tr.append(...cells, ...[depth.toLocaleString(), oldest, pace, done].map(text => el('td', 'num', text)), last);
  return tr;
}
function health(s) {
  status = s;
  set($('station'), [s.station.site, s.station.line, s.station.device].filter(Boolean).join(' / '));
  set($('recipe'), s.recipe || '–');
  $('recipe').title = s.parts.find(p => p.name === 'recipe')?.detail ?? '';
  set($('model'), s.model.split('@')[0] || '–');
  $('model').title = s.model;
  set($('source'), s.source || '–');
  const c = s.counts;
  for (const [id, n] of Object.entries({ judged: c.pass + c.fail + c.unsure, pass: c.pass, fail: c.fail, unsure: c.unsure })) set($('n-' + id), n.toLocaleString());
  set($('n-yield'), s.first_pass_yield === null ? '–' : (s.first_pass_yield * 100).toFixed(1) + ' %');
  set($('since'), [`Since ${new Date(s.started).toLocaleString()}`, `${c.in_flight} in flight`,
    `${s.frames.dropped.toLocaleString()} of ${s.frames.captured.toLocaleString()} frames dropped`, s.version].filter(Boolean).join(' · '));
  $('parts').replaceChildren(...s.parts.map(p => {
    const li = el('li', marks[p.state] ? p.state : 'down'), text = el('div');
    li.append(icon(marks[p.state] ?? 'fail'), text);
    text.append(el('b', '', p.name), el('span', '', ' ' + (p.detail || p.state)));
    if (p.remedy && p.state !== 'ok') text.append(el('span', 'todo', '→ ' + p.remedy));
    return li;
  }));
  const first = ['failing', 'parked', 'draining', 'ok'], byNeed = [...s.targets].sort((a, b) => first.indexOf(a.state) - first.indexOf(b.state));
  $('targets').replaceChildren(...byNeed.flatMap(t => {
    const name = el('td', '', t.name), state = el('td');
    name.title = t.lanes.join('\n');
    state.append(el('span', 'pill ' + (pills[t.state] ?? 'bad'), t.state));
    const rows = [row_of([name, state], t.depth, t.depth + t.parked ? span(t.oldest_seconds) : '–', t.rate_per_second ? rate(t.rate_per_second) : '–',
      !t.depth ? '–' : t.drain_seconds === null ? '?' : span(Math.max(1, t.drain_seconds)), t.parked, t.name)];
    if (t.error) {
      const tr = el('tr', 'why'), why = el('td');
      why.append(el('div', '', t.error));
      why.colSpan = 7;
      why.title = [t.error, t.remedy].filter(Boolean).join('\n→ ');
      tr.append(why);
      rows.push(tr);
    }
    return rows;
  }));
  const shown = new Set(s.targets.flatMap(t => t.lanes)), others = s.lanes.filter(l => !shown.has(l.name));
  $('lanes').replaceChildren(...others.map(l => {
    const work = el('td', '', lanes[l.name] ?? l.name);
    work.title = l.name;
    return row_of([work, el('td')], l.depth, span(l.oldest_seconds), '', '', l.parked);
  }));
  $('no-lanes').hidden = s.lanes.length + s.targets.length > 0;
  $('no-parts').hidden = s.parts.length > 0;
  set($('not-ready'), s.reasons.map(p => `Not ready: ${p.name}: ${p.detail}${p.remedy ? ' → ' + p.remedy : ''}`).join('\n'));
  $('not-ready').hidden = s.ready;
}

// The stream. A silence longer than its heartbeat is a lost connection, too.
let source, watchdog, again;
function lost() {
  source.close();
  clearTimeout(watchdog);
  clearTimeout(again);
  document.body.className = 'lost';
  set($('link-word'), 'Not connected');
  nothing('No connection', current ? `the last verdict was ${words[known(current.verdict)]} for ${label(current)} at ${clock(current.at)}` : 'to the inspector');
  set($('lost'), 'Connection to the inspector lost: what you see is old. Trying again…');
  $('lost').hidden = false;
  again = setTimeout(connect, 2000);
}
function alive() { clearTimeout(watchdog); watchdog = setTimeout(lost, 20000); }
function connect() {
  source = new EventSource('/api/v1/events');
  const on = (name, f) => source.addEventListener(name, e => { alive(); f(JSON.parse(e.data)); });
  let fresh = true;
  alive();
  source.onerror = lost;
  on('status', s => {
    health(s);
    if (!fresh) return;
    fresh = false; // the first event: load what came before the stream
    seen = new Map();
    records = new Map();
    current = null;
    document.body.className = 'online';
    set($('link-word'), 'Connected');
    $('lost').hidden = true;
    Promise.all([newest(), list()]).then(() => { wanted ??= 0; load(); }).catch(lost);
  });
  on('inspection', r => {
    now(r);
    keep(r);
    trim();
    if (!r.seq) return;
    seen.set(r.seq, r);
    if (seen.size > maxRows) seen.delete(seen.keys().next().value);
    if (r.seq === shown) label_live();
  });
  on('picture', p => { wanted = p.seq; load(); });
}

$('rows').addEventListener('click', e => { const tr = e.target.closest('tr'); if (tr) find(tr.dataset.id); });
$('older').addEventListener('click', () => list(older));
$('filter').addEventListener('change', () => list());
$('decide').addEventListener('submit', decide);
$('board-close').addEventListener('click', () => $('board').close());
$('board').addEventListener('click', e => { if (e.target === $('board')) $('board').close(); });
$('board').addEventListener('close', () => { open = null; boxes($('still-boxes'), null); });
document.addEventListener('visibilitychange', load);
new ResizeObserver(() => { boxes($('live-boxes'), seen.get(shown)); if (open) boxes($('still-boxes'), records.get(open)); }).observe(document.body);
connect();
if (location.hash.length > 1) find(decodeURIComponent(location.hash.slice(1)));
