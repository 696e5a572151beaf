/* What does the page show, and what does a person do on it?
   Everything comes from the sandbox API beside it; nothing from outside ever becomes HTML: we build nodes, not strings. */
'use strict';

const $ = (id) => document.getElementById(id);

/* The element with these properties and children; a string becomes text, never markup. */
function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.startsWith('aria')) element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ''));
  return element;
}

const state = {
  people: [], channels: [], groups: [], shortcuts: [], bot: 'release-bot', command: '/release', suggestions: [], commands: [],
  environments: [],     // in the order of promotion
  me: '', place: '', thread: null,
  messages: new Map(),   // channel id → messages as `me` sees them
  read: new Map(),       // person and channel → ts of the last message read
  drafts: [], draft: 0,  // what was sent before, and where ↑ has got to
  views: [], home: null,
  ahead: 0,              // milliseconds from this machine's clock to the sandbox's
  began: Infinity,       // what is not newer was there before we came, and counts as read
};
const HOME = 'home';
const person = (id) => state.people.find((one) => one.id === id) || { id, name: id, title: '', timezone: 'UTC' };
const byUser = (user) => state.people.find((one) => one.user === user);
const channel = (id) => state.channels.find((one) => one.id === id);
const mine = () => state.channels.filter((one) => one.members.includes(state.me));
const now = () => new Date(Date.now() + state.ahead);

/* --- talking to the sandbox --------------------------------------------------------------------------------- */

async function api(path, body) {
  const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  let answer;
  try {
    answer = await (await fetch(`api/${path}`, options)).json();
  } catch (error) {
    toast('The sandbox does not answer.');
    throw error;
  }
  if (answer.ok === false && answer.ack_ms === undefined) {
    toast(answer.error);
    throw new Error(answer.error);
  }
  return answer;
}

function toast(text) {
  const shown = h('p', {}, text);
  $('toasts').append(shown);
  setTimeout(() => shown.remove(), 7000);
}

const latest = new Map();
/* The answer, unless the same thing was asked again meanwhile: an old answer must not cover a newer one. */
async function newest(name, ask) {
  const number = (latest.get(name) || 0) + 1;
  latest.set(name, number);
  const answer = await ask();
  return latest.get(name) === number ? answer : undefined;
}

async function loadWorkspace() {
  const workspace = await api('workspace');
  const known = new Set(state.channels.map((one) => one.id));
  Object.assign(state, { ...workspace, opening: workspace.channel });
  return state.channels.filter((one) => !known.has(one.id));
}

async function loadMessages(id) {
  const place = channel(id);
  if (!place || !place.members.includes(state.me)) return;
  const found = await newest(`messages ${id}`, () => api(`messages?channel=${id}&as=${state.me}`));
  if (!found) return;
  state.messages.set(id, found);
  if (id === state.place) { drawMessages(); drawThread(); }
  drawChannels();
}

async function loadViews() {
  const found = await newest('views', () => api(`views?as=${state.me}`));
  if (found) { state.views = found; drawModal(); }
}

async function loadHome(open) {
  const found = await newest('home', () => api(`home?as=${state.me}${open ? '' : '&open=no'}`));
  if (found) { state.home = found; drawHome(); }
}

/* --- times ---------------------------------------------------------------------------------------------------- */

function format(date, options, zone = person(state.me).timezone) {
  return new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options }).format(date);
}
const clockTime = (date, zone) => format(date, { hour: '2-digit', minute: '2-digit' }, zone);
const day = (date) => format(date, { weekday: 'long', day: 'numeric', month: 'long' });
const at = (ts) => new Date(parseFloat(ts) * 1000);

/* Slack's date tokens, in the time zone of whoever looks. */
function dateText(seconds, pattern) {
  const date = new Date(seconds * 1000);
  const long = { day: 'numeric', month: 'long', year: 'numeric' };
  const short = { day: 'numeric', month: 'short', year: 'numeric' };
  const pretty = (options) => {
    const apart = Math.round((Date.parse(format(date, {}).split('/').reverse().join('-')) - Date.parse(format(now(), {}).split('/').reverse().join('-'))) / 86400000);
    return { 0: 'today', 1: 'tomorrow', '-1': 'yesterday' }[apart] || format(date, options);
  };
  const parts = {
    date_num: () => format(date, { year: 'numeric', month: '2-digit', day: '2-digit' }).split('/').reverse().join('-'),
    date: () => format(date, long), date_slash: () => format(date, {}),
    date_long: () => format(date, { weekday: 'long', ...long }), date_short: () => format(date, short),
    date_pretty: () => pretty(long), date_short_pretty: () => pretty(short), date_long_pretty: () => pretty({ weekday: 'long', ...long }),
    time: () => clockTime(date), time_secs: () => format(date, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    ago: () => ago(date),
  };
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => (parts[name] ? parts[name]() : whole));
}

function ago(date) {
  const seconds = (date - now()) / 1000;
  const [unit, size] = [['day', 86400], ['hour', 3600], ['minute', 60]].find(([, one]) => Math.abs(seconds) >= one) || ['second', 1];
  return new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(Math.round(seconds / size), unit);
}

/* --- Slack's markup, as nodes --------------------------------------------------------------------------------- */

const plainText = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
const EMOJI = { white_check_mark: '✅', heavy_check_mark: '✔️', x: '❌', warning: '⚠️', rocket: '🚀', hourglass: '⌛', hourglass_flowing_sand: '⏳', lock: '🔒', eyes: '👀', rotating_light: '🚨', snowflake: '❄️', tada: '🎉', arrow_right: '➡️', no_entry: '⛔', large_green_circle: '🟢', red_circle: '🔴', rewind: '⏪' };
const SPAN = /`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*])\*(?=\S)([^*\n]*[^*\s])\*(?![\w*])|(?<![\w_])_(?=\S)([^_\n]*[^_\s])_(?![\w_])|(?<![\w~])~(?=\S)([^~\n]*[^~\s])~(?![\w~])|:([a-z_]+):/g;

function mrkdwn(text) {
  const out = document.createDocumentFragment();
  text.split(/```([\s\S]*?)```/).forEach((part, number) => {
    if (number % 2) out.append(h('pre', {}, plainText(part.replace(/^\n|\n$/g, ''))));
    else out.append(...paragraphs(part));
  });
  return out;
}

function paragraphs(text) {
  const out = [];
  const lines = text.replace(/^\n(?=[^\n])/, '').split('\n');
  while (lines.length) {
    if (lines[0].startsWith('&gt;')) {
      const quoted = [];
      while (lines.length && lines[0].startsWith('&gt;')) quoted.push(lines.shift().replace(/^&gt; ?/, ''));
      out.push(h('blockquote', {}, ...inline(quoted.join('\n'))));
    } else {
      const said = [];
      while (lines.length && !lines[0].startsWith('&gt;')) said.push(lines.shift());
      out.push(...inline(said.join('\n') + (lines.length ? '\n' : '')));
    }
  }
  return out;
}

function inline(text) {
  const out = [];
  let from = 0;
  for (const found of text.matchAll(SPAN)) {
    const [whole, code, token, bold, italic, struck, emoji] = found;
    if (emoji && !EMOJI[emoji]) continue;
    out.push(plainText(text.slice(from, found.index)));
    from = found.index + whole.length;
    if (code !== undefined) out.push(h('code', {}, plainText(code)));
    else if (token !== undefined) out.push(special(token));
    else if (bold !== undefined) out.push(h('strong', {}, ...inline(bold)));
    else if (italic !== undefined) out.push(h('em', {}, ...inline(italic)));
    else if (struck !== undefined) out.push(h('s', {}, ...inline(struck)));
    else out.push(EMOJI[emoji]);
  }
  out.push(plainText(text.slice(from)));
  return out;
}

/* What stands between < and >. */
function special(token) {
  const [head, label] = token.split(/\|(.*)/s);
  const date = /^!date\^(\d+)\^([^^]+)(?:\^(.*))?$/s.exec(head);
  if (date) return h('time', { dateTime: new Date(date[1] * 1000).toISOString(), title: label || '' }, plainText(dateText(Number(date[1]), date[2])));
  if (head.startsWith('@')) return mention(`@${(byUser(head.slice(1)) || { id: label || head.slice(1) }).id}`);
  if (head.startsWith('#')) return mention(`#${(channel(head.slice(1)) || { name: label || head.slice(1) }).name}`);
  if (head.startsWith('!subteam^')) {
    const group = state.groups.find((one) => one.id === head.slice(9));
    return mention(group ? `@${group.handle}` : plainText(label || head));
  }
  if (/^!(here|channel|everyone)$/.test(head)) return mention(`@${head.slice(1)}`);
  return link(plainText(head), plainText(label || head));
}
const mention = (text) => h('span', { className: 'mention' }, text);
function link(url, text) {
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return text;
  return h('a', { href: url, target: '_blank', rel: 'noopener noreferrer', title: url }, text);
}

function textObject(text) {
  return h('div', { className: 'text' }, text.type === 'mrkdwn' ? mrkdwn(text.text) : text.text.replace(/:([a-z_]+):/g, (whole, name) => EMOJI[name] || whole));
}

/* --- blocks --------------------------------------------------------------------------------------------------- */

/* `where` is what a press names: a message's ts or a view's id. */
function blocks(list, where) {
  return h('div', { className: 'blocks' }, ...list.map((block) => drawBlock(block, where)));
}

function drawBlock(block, where) {
  const box = (kind, ...children) => h('div', { className: `block ${kind}` }, ...children);
  switch (block.type) {
    case 'header': return h('h4', { className: 'block header', style: 'margin-bottom:2px' }, block.text.text);
    case 'divider': return h('hr', { className: 'block divider' });
    case 'section': {
      const main = h('div', { className: 'stack' });
      if (block.text) main.append(textObject(block.text));
      if (block.fields) main.append(h('div', { className: 'fields' }, ...block.fields.map(textObject)));
      return box('section', main, block.accessory ? control(block.accessory, where) : null);
    }
    case 'context': return box('context', ...block.elements.map((one) => (one.type === 'image' ? picture(one) : textObject(one))));
    case 'actions': return box('actions', ...block.elements.map((one) => control(one, where)));
    case 'image': return box('image', picture(block));
    case 'rich_text': return box('rich', ...block.elements.map(rich));
    case 'markdown': return box('section', h('div', { className: 'text' }, block.text));
    case 'alert': return box('section', textObject(block.text));
    case 'table': return box('table', h('div', { className: 'scroll' }, h('table', {}, ...block.rows.map((row, number) =>
      h('tr', {}, ...row.map((cell) => h(number ? 'td' : 'th', {}, cell.type === 'rich_text' ? h('span', {}, ...cell.elements.map(rich)) : String(cell.text ?? cell.value ?? ''))))))));
    case 'input': return field(block);
    default: return box('section', h('div', { className: 'text' }, `(${block.type})`));
  }
}

const picture = (one) => h('span', { className: 'picture' }, `🖼 ${one.alt_text}`);

function rich(part) {
  switch (part.type) {
    case 'rich_text_section': return h('div', { className: 'text' }, ...part.elements.map(richInline));
    case 'rich_text_preformatted': return h('pre', {}, ...part.elements.map(richInline));
    case 'rich_text_quote': return h('blockquote', {}, ...part.elements.map(richInline));
    case 'rich_text_list': return h(part.style === 'ordered' ? 'ol' : 'ul', {}, ...part.elements.map((one) => h('li', {}, rich(one))));
    default: return h('span');
  }
}

function richInline(one) {
  let node;
  switch (one.type) {
    case 'text': node = document.createTextNode(one.text); break;
    case 'link': node = link(one.url, one.text || one.url); break;
    case 'user': node = special(`@${one.user_id}`); break;
    case 'channel': node = special(`#${one.channel_id}`); break;
    case 'usergroup': node = special(`!subteam^${one.usergroup_id}`); break;
    case 'broadcast': node = mention(`@${one.range}`); break;
    case 'emoji': node = document.createTextNode(EMOJI[one.name] || `:${one.name}:`); break;
    case 'date': node = document.createTextNode(dateText(one.timestamp, one.format)); break;
    default: node = document.createTextNode('');
  }
  for (const [style, name] of [['code', 'code'], ['bold', 'strong'], ['italic', 'em'], ['strike', 's']]) {
    if (one.style && one.style[style]) node = h(name, {}, node);
  }
  return node;
}

function control(element, where) {
  if (element.type === 'image') return picture(element);
  if (element.type === 'button') {
    return h('button', {
      type: 'button', className: element.style === 'primary' ? 'primary' : element.style || '',
      'aria-label': element.accessibility_label, 'data-action': element.action_id,
      onclick: (event) => press(event.currentTarget, where, element),
    }, element.text.text);
  }
  const options = optionsOf(element);
  if (!options.length) return h('span', { className: 'picture' }, element.type);
  const name = element.placeholder ? element.placeholder.text : 'Choose…';
  return h('select', {
    'aria-label': name, 'data-action': element.action_id,
    onchange: (event) => { if (event.currentTarget.value) press(event.currentTarget, where, element, event.currentTarget.value); },
  }, h('option', { value: '' }, name), ...options.map((one) => h('option', { value: one.value }, one.text.text)));
}

function optionsOf(element) {
  if (element.type === 'users_select') return state.people.filter((one) => !one.bot).map((one) => ({ value: one.id, text: { text: one.name } }));
  if (/^(channels|conversations)_select$/.test(element.type)) return mine().map((one) => ({ value: one.id, text: { text: `#${one.name}` } }));
  return [...(element.options || []), ...(element.option_groups || []).flatMap((group) => group.options)];
}

async function press(button, where, element, value = '') {
  if (button.getAttribute('aria-busy')) return;
  if (element.confirm && !(await sure(element.confirm))) return;
  button.setAttribute('aria-busy', 'true');
  try {
    const outcome = await api('press', { as: state.me, message: where, button: element.action_id, value });
    if (!outcome.ok && !outcome.reply) toast(`Slack says: ${outcome.error}`);
  } catch { /* said already */ } finally {
    button.removeAttribute('aria-busy');
  }
}

async function use(shortcut, message) {
  menu(false);
  const outcome = await api('shortcut', { as: state.me, shortcut, ...(message ? { message } : {}) }).catch(() => ({ ok: true }));
  if (!outcome.ok) toast(`Slack says: ${outcome.error}`);
}

/* Asks, as Slack does before a button that wants it; resolves to whether it was confirmed. */
function sure(confirm) {
  const dialog = $('confirm');
  $('confirm-title').textContent = confirm.title.text;
  dialog.querySelector('.body').replaceChildren(textObject(confirm.text));
  const [no, yes] = dialog.querySelectorAll('button');
  no.textContent = confirm.deny.text;
  yes.textContent = confirm.confirm.text;
  yes.className = `yes ${confirm.style === 'danger' ? 'danger filled' : 'primary'}`;
  dialog.returnValue = 'no';
  dialog.showModal();
  yes.focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/* --- the sidebar ---------------------------------------------------------------------------------------------- */

function drawPeople() {
  $('team').textContent = state.team;
  $('bot-name').textContent = person(state.bot).name;
  $('person').replaceChildren(...state.people.filter((one) => !one.bot).map((one) =>
    h('option', { value: one.id, selected: one.id === state.me }, `${one.name.split(' ')[0]} (${one.title})`)));
  $('anywhere').replaceChildren(...state.shortcuts.filter((shortcut) => shortcut.kind === 'global').map((shortcut) =>
    h('li', {}, h('button', { type: 'button', className: 'place', onclick: () => use(shortcut.id) }, h('span', { className: 'sign', 'aria-hidden': 'true' }, '+'), `${shortcut.name}…`))));
  $('suggested').hidden = !state.suggestions.length;
  $('suggestions').replaceChildren(...state.suggestions.map((line) => h('li', {}, h('button', { type: 'button', onclick: () => write(line) }, line))));
}

const readMark = (id) => state.read.get(`${state.me} ${id}`) ?? state.began;

function drawChannels() {
  const items = mine().filter((one) => !one.direct || (state.messages.get(one.id) || []).length).map((one) => {
    const here = one.id === state.place;
    const news = here ? 0 : (state.messages.get(one.id) || []).filter((message) => message.from !== state.me && parseFloat(message.ts) > readMark(one.id)).length;
    return h('li', {}, h('button', {
      type: 'button', className: `place${news ? ' news' : ''}`, 'aria-current': here ? 'page' : null, 'data-channel': one.name,
      onclick: () => go(one.id),
    }, h('span', { className: 'sign', 'aria-hidden': 'true' }, one.direct ? '✉' : '#'), one.direct ? person(state.bot).name : one.name,
    news ? h('span', { className: 'unread' }, String(news), h('span', { className: 'hidden' }, ' unread')) : null));
  });
  $('channels').replaceChildren(...items);
  if (state.place === HOME) $('home-tab').setAttribute('aria-current', 'page');
  else $('home-tab').removeAttribute('aria-current');
}

function markRead() {
  const shown = state.messages.get(state.place) || [];
  if (shown.length && document.hasFocus()) state.read.set(`${state.me} ${state.place}`, parseFloat(shown[shown.length - 1].ts));
}

/* --- messages ------------------------------------------------------------------------------------------------- */

const FACES = ['#7a5c99', '#2f6f6a', '#a3603a', '#3a6ea5', '#8a4b5f', '#5d7333', '#4b5f8a', '#86652a'];
function face(id) {
  if (id === 'bot') return h('span', { className: 'avatar', 'aria-hidden': 'true', style: '--face:#22303a' }, '⇥');
  const one = person(id);
  const initials = one.name.split(/\s+/).map((word) => word[0]).slice(0, 2).join('').toUpperCase();
  const place = Math.max(state.people.findIndex((other) => other.id === id), 0);
  const shown = h('span', { className: 'avatar', 'aria-hidden': 'true' }, initials);
  shown.style.setProperty('--face', FACES[place % FACES.length]);
  return shown;
}

function drawMessage(message, { follows = false, replies = [], inThread = false }) {
  const fromBot = message.from === 'bot';
  const one = person(fromBot ? state.bot : message.from);
  const when = at(message.ts);
  const content = h('div', { className: 'content' },
    h('div', { className: 'who' }, h('strong', {}, one.name), fromBot || one.bot ? h('span', { className: 'app' }, 'APP') : h('span', { className: 'title' }, one.title),
      h('time', { dateTime: when.toISOString(), title: `${day(when)} ${clockTime(when, 'UTC')} UTC` }, clockTime(when))),
    message.blocks.length ? blocks(message.blocks, message.ts) : h('div', { className: 'text' }, mrkdwn(message.text)));
  if (replies.length) {
    const last = at(replies[replies.length - 1].ts);
    content.append(h('button', { type: 'button', className: 'thread-link', onclick: () => openThread(message.ts) },
      replies.length === 1 ? '1 reply ' : `${replies.length} replies `, h('span', {}, `last at ${clockTime(last)}`)));
  }
  const tools = message.ephemeral_to || inThread ? null : h('div', { className: 'tools' },
    h('button', { type: 'button', className: 'quiet', onclick: () => openThread(message.ts) }, 'Reply in thread'),
    ...state.shortcuts.filter((shortcut) => shortcut.kind === 'message').map((shortcut) =>
      h('button', { type: 'button', className: 'quiet', onclick: () => use(shortcut.id, message.ts) }, `${shortcut.name}…`)));
  return h('li', { className: `message${follows ? ' follows' : ''}${message.ephemeral_to ? ' private' : ''}`, 'data-ts': message.ts }, face(message.from), content, tools);
}

/* The list shows these nodes in this order; those that are there already keep their focus. */
function arrange(list, wanted) {
  const low = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const kept = new Set(wanted);
  for (const node of [...list.children]) if (!kept.has(node)) node.remove();
  wanted.forEach((node, number) => { if (list.children[number] !== node) list.insertBefore(node, list.children[number] || null); });
  if (low) list.scrollTop = list.scrollHeight;
}

const drawn = new Map();   // what a node was drawn from → the node
function once(key, made, draw) {
  const known = drawn.get(key);
  if (known && known.made === made) return known.node;
  const node = draw();
  drawn.set(key, { made, node });
  return node;
}

function listed(messages, list, options) {
  const nodes = [];
  let before = null;
  for (const message of messages) {
    const today = day(at(message.ts));
    if (!options.inThread && (!before || day(at(before.ts)) !== today)) {
      nodes.push(once(`${list.id} day ${today}`, today, () => h('li', { className: 'day' }, today)));
      before = null;
    }
    const replies = options.replies ? options.replies(message) : [];
    const follows = Boolean(before && before.from === message.from && at(message.ts) - at(before.ts) < 300000 && !message.ephemeral_to && !before.ephemeral_to
      && !message.blocks.length && !(options.replies && options.replies(before).length));
    const made = JSON.stringify([message, replies.map((one) => one.ts), follows, state.me]);
    nodes.push(once(`${list.id} ${message.ts}`, made, () => drawMessage(message, { follows, replies, inThread: options.inThread })));
    before = options.inThread && !message.thread ? null : message;
  }
  if (!nodes.length) nodes.push(once(`${list.id} nothing`, state.me, () => h('li', { className: 'nothing' }, `Nothing here yet. Type ${state.command} help to begin.`)));
  arrange(list, nodes);
}

function drawMessages() {
  const messages = state.messages.get(state.place) || [];
  const replies = (root) => messages.filter((message) => message.thread === root.ts);
  listed(messages.filter((message) => !message.thread), $('messages'), { replies });
  markRead();
}

function drawThread() {
  $('thread').hidden = !state.thread;
  if (!state.thread) return;
  $('thread-place').textContent = `#${channel(state.place).name}`;
  const messages = state.messages.get(state.place) || [];
  listed(messages.filter((message) => message.ts === state.thread || message.thread === state.thread), $('replies'), { inThread: true });
}

function openThread(ts) {
  state.thread = ts;
  $('replies').replaceChildren();
  drawThread();
  $('thread-text').focus();
}

function closeThread() {
  state.thread = null;
  drawThread();
}

function drawHome() {
  const view = state.home;
  if (state.place !== HOME || !view) return;
  $('home').replaceChildren(view.id ? blocks(view.blocks, view.id) : h('p', { className: 'nothing' }, 'The bot has not published anything here yet.'));
}

/* --- going places --------------------------------------------------------------------------------------------- */

function go(place) {
  state.place = place;
  state.thread = null;
  const atHome = place === HOME;
  $('messages').hidden = $('composer').hidden = atHome;
  $('home').hidden = !atHome;
  document.querySelector('.keys').hidden = atHome;
  $('title').textContent = atHome ? person(state.bot).name : `# ${channel(place).name}`;
  $('topic').textContent = atHome ? 'Home' : channel(place).topic;
  const name = atHome ? HOME : channel(place).name;
  $('composer-text').placeholder = `Message #${name}`;
  history.replaceState(null, '', `#${new URLSearchParams({ as: state.me, in: name })}`);
  document.title = `${atHome ? 'Home' : `#${name}`} – Release Bot sandbox`;
  menu(false);
  drawThread();
  if (atHome) { $('home').replaceChildren(h('p', { className: 'nothing' }, 'Opening…')); loadHome(true).catch(() => {}); } else {
    drawMessages();
    $('messages').scrollTop = $('messages').scrollHeight;
    $('composer-text').focus({ preventScroll: true });
  }
  drawChannels();
}

async function become(id) {
  state.me = id;
  state.messages.clear();
  drawn.clear();
  $('messages').replaceChildren();
  drawPeople();
  tick();
  const places = mine();
  const stay = places.some((one) => one.id === state.place) || state.place === HOME ? state.place : places[0].id;
  go(stay);
  await refresh();
}

async function refresh() {
  await Promise.allSettled([...mine().map((one) => loadMessages(one.id)), loadViews(), state.place === HOME ? loadHome(false) : null]);
}

function menu(open) {
  $('sidebar').classList.toggle('open', open);
  $('menu').setAttribute('aria-expanded', String(open));
}

/* --- writing -------------------------------------------------------------------------------------------------- */

function hints() {
  const text = $('composer-text').value;
  const fitting = !text.startsWith('/') ? [] : state.commands
    .map(([words, does]) => [`${state.command} ${words}`, does])
    .filter(([line]) => line.startsWith(text.trimEnd()) && line !== text);
  $('hint').hidden = !fitting.length;
  $('hint').replaceChildren(...fitting.map(([line, does], number) => h('button', {
    type: 'button', className: number ? '' : 'first', onclick: () => write(line),
  }, h('b', {}, line), h('span', {}, does), number ? null : h('kbd', {}, 'Tab'))));
  return fitting;
}

function write(text) {
  if (state.place === HOME) go(mine()[0].id);
  menu(false);
  $('composer-text').value = text;
  grow($('composer-text'));
  $('composer-text').focus();
  hints();
}

function grow(box) {
  box.style.height = 'auto';
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
}

async function send(box, button, thread) {
  const text = box.value.trim();
  if (!text || button.disabled) return;
  box.value = '';
  grow(box);
  hints();
  state.drafts.push(text);
  state.draft = state.drafts.length;
  button.disabled = true;
  try {
    const outcome = await api('say', { as: state.me, channel: state.place, text, ...(thread ? { thread } : {}) });
    if (!outcome.ok && !outcome.reply) toast(`Slack says: ${outcome.error}`);
    await loadMessages(state.place);
    const list = thread ? $('replies') : $('messages');
    list.scrollTop = list.scrollHeight;
  } catch {
    if (!box.value) box.value = text;
  } finally {
    button.disabled = false;
  }
}

function composer(form, box, thread) {
  const button = form.querySelector('.send');
  form.addEventListener('submit', (event) => { event.preventDefault(); send(box, button, thread()); });
  box.addEventListener('input', () => { grow(box); if (box.id === 'composer-text') hints(); });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      send(box, button, thread());
    } else if (event.key === 'Tab' && !event.shiftKey && !$('hint').hidden && box.id === 'composer-text') {
      const [first] = hints();
      if (first) { event.preventDefault(); write(first[0]); }
    } else if (event.key === 'Escape') {
      $('hint').hidden = true;
    } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      recall(event, box);
    }
  });
}

/* ↑ and ↓ walk through what was sent before, from the first and last line only. */
function recall(event, box) {
  const up = event.key === 'ArrowUp';
  const edge = up ? !box.value.slice(0, box.selectionStart).includes('\n') : !box.value.slice(box.selectionEnd).includes('\n');
  const next = state.draft + (up ? -1 : 1);
  if (!edge || next < 0 || next > state.drafts.length) return;
  event.preventDefault();
  state.draft = next;
  box.value = state.drafts[next] || '';
  grow(box);
  hints();
  box.setSelectionRange(box.value.length, box.value.length);
}

/* --- modals --------------------------------------------------------------------------------------------------- */

let fields = new Map();   // block id → how to read what was filled in

function field(block) {
  const element = block.element;
  const id = `field-${block.block_id}`;
  const label = [block.label.text, block.optional ? h('span', { className: 'optional' }, ' (optional)') : null];
  const note = block.hint ? h('p', { className: 'note', id: `${id}-note` }, block.hint.text) : null;
  const error = h('p', { className: 'error', id: `${id}-error`, 'data-error': block.block_id });
  const common = { id, 'aria-describedby': `${id}-error${note ? ` ${id}-note` : ''}`, 'aria-required': block.optional ? null : 'true' };
  const group = (kind, first) => {
    const boxes = optionsOf(element).map((one) => h('input', {
      type: kind, name: id, value: one.value, checked: first.includes(one.value),
    }));
    fields.set(block.block_id, () => boxes.filter((box) => box.checked).map((box) => box.value).join(','));
    return h('fieldset', { className: 'field', 'data-block': block.block_id }, h('legend', {}, ...label),
      ...boxes.map((box, number) => h('label', { className: 'choice' }, box, optionsOf(element)[number].text.text)), note, error);
  };
  if (element.type === 'radio_buttons') return group('radio', element.initial_option ? [element.initial_option.value] : []);
  if (/^(checkboxes|multi_static_select)$/.test(element.type)) return group('checkbox', (element.initial_options || []).map((one) => one.value));
  let box;
  if (/select$/.test(element.type)) {
    const first = element.initial_option ? element.initial_option.value : '';
    box = h('select', common, h('option', { value: '' }, element.placeholder ? element.placeholder.text : 'Choose…'),
      ...optionsOf(element).map((one) => h('option', { value: one.value, selected: one.value === first }, one.text.text)));
  } else {
    const example = { datepicker: 'YYYY-MM-DD', timepicker: 'HH:MM', datetimepicker: 'seconds since 1970' }[element.type] || '';
    const first = element.initial_value || element.initial_date || element.initial_time || String(element.initial_date_time || '');
    box = h(element.multiline ? 'textarea' : 'input', {
      ...common, value: first, placeholder: element.placeholder ? element.placeholder.text : example, autocomplete: 'off',
      maxLength: element.max_length || 3000, ...(element.multiline ? { rows: 4 } : { type: 'text' }),
    });
  }
  fields.set(block.block_id, () => box.value);
  return h('div', { className: 'field', 'data-block': block.block_id }, h('label', { htmlFor: id }, ...label), box, note, error);
}

let shownView = '';

function drawModal() {
  const dialog = $('modal');
  const view = state.views[state.views.length - 1];
  if (!view) {
    shownView = '';
    if (dialog.open) dialog.close();
    return;
  }
  const made = JSON.stringify([view.id, view.title, view.blocks]);
  if (made !== shownView) {
    shownView = made;
    fields = new Map();
    $('modal-title').textContent = view.title;
    dialog.querySelector('.body').replaceChildren(...view.blocks.map((block) => drawBlock(block, view.id)));
    const [close, submit] = dialog.querySelectorAll('footer button');
    close.textContent = view.close || 'Close';
    submit.textContent = view.submit || 'Submit';
    submit.hidden = !view.submit;
    if (!dialog.open) dialog.showModal();
    (dialog.querySelector('.body input, .body textarea, .body select') || close).focus();
  }
  showErrors(view.errors);
}

function showErrors(errors) {
  const dialog = $('modal');
  dialog.querySelector('form > .error').textContent = errors[''] || '';
  for (const place of dialog.querySelectorAll('[data-error]')) {
    const said = errors[place.dataset.error] || '';
    place.textContent = said;
    place.closest('.field').classList.toggle('wrong', Boolean(said));
  }
}

async function submitModal(event) {
  event.preventDefault();
  const view = state.views[state.views.length - 1];
  const button = $('modal').querySelector('footer button[type=submit]');
  if (!view || button.disabled) return;
  button.disabled = true;
  try {
    const values = Object.fromEntries([...fields].map(([id, read]) => [id, read()]));
    const outcome = await api('submit', { as: state.me, view: view.id, values });
    if (outcome.errors) {
      showErrors(outcome.errors);
      const wrong = $('modal').querySelector('.field.wrong input, .field.wrong textarea, .field.wrong select');
      if (wrong) wrong.focus();
    }
    await loadViews();
  } catch { /* said already */ } finally {
    button.disabled = false;
  }
}

async function closeModal() {
  const view = state.views[state.views.length - 1];
  if (!view) return;
  await api('close', { as: state.me, view: view.id }).catch(() => {});
  await loadViews().catch(() => {});
}

/* --- the true world ------------------------------------------------------------------------------------------- */

const colours = new Map();   // service → digests in the order we first saw them
function colour(service, digest) {
  const seen = colours.get(service) || [];
  if (!seen.includes(digest)) seen.push(digest);
  colours.set(service, seen);
  return `var(--c${seen.indexOf(digest) % 6})`;
}
const short = (digest) => digest.replace(/^sha256:/, '').slice(0, 8);

function drawServices(services) {
  const cards = Object.entries(services).sort().map(([service, environments]) => {
    const sites = Object.entries(environments).sort(([one], [other]) => rank(one) - rank(other)).map(([environment, site]) => drawSite(service, environment, site));
    return h('section', { className: 'service', 'aria-label': service, 'data-service': service }, h('h3', {}, service), ...sites);
  });
  $('services').replaceChildren(...cards);
}
const rank = (environment) => (state.environments.indexOf(environment) + 1) || 99;

function drawSite(service, environment, site) {
  const lines = new Map();
  for (const line of site.traffic) if (line.percent) lines.set(line.digest, (lines.get(line.digest) || 0) + line.percent);
  const bar = (kind, title, shares) => {
    const shown = h('div', { className: `bar ${kind}`, title, 'aria-hidden': 'true' });
    for (const [digest, percent] of shares) {
      const piece = h('i');
      piece.style.setProperty('--c', colour(service, digest));
      piece.style.width = `${percent}%`;
      shown.append(piece);
    }
    return shown;
  };
  const measured = Object.entries(site.serving).map(([digest, share]) => [digest, share * 100]);
  const words = measured.map(([digest, percent]) => `${short(digest)} ${Math.round(percent)} %`).join(', ');
  const digests = h('span', { className: 'digests' }, ...[...lines].map(([digest, percent]) => {
    const one = h('span', { title: `${digest}: ${percent} % of the traffic` }, h('i', { 'aria-hidden': 'true' }), h('code', {}, short(digest)), ` ${percent} %`);
    one.style.setProperty('--c', colour(service, digest));
    return one;
  }), h('span', { className: 'hidden' }, words ? `last requests answered by ${words}` : ''));
  return h('div', { className: 'site', 'data-environment': environment },
    h('span', { className: 'environment' }, environment), digests,
    h('div', { className: 'bars' }, bar('', 'Traffic as set', lines), bar('measured', words ? `Last requests: ${words}` : 'No requests lately', measured)));
}

function tick() {
  if (!state.ahead && !state.me) return;
  $('now').textContent = `${format(now(), { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' }, 'UTC')} UTC`;
  const zone = person(state.me).timezone;
  $('local').textContent = `${clockTime(now())} for ${person(state.me).name.split(' ')[0]} in ${zone.split('/').pop().replace('_', ' ')}`;
}

function setClock(text) {
  state.ahead = Date.parse(text) - Date.now();
  tick();
}

async function openFaults() {
  const worlds = await api('faults');
  const body = $('faults').querySelector('.body');
  body.replaceChildren(...Object.entries(worlds).flatMap(([world, kinds]) => [
    h('h3', {}, world.replaceAll('_', ' ')),
    ...Object.entries(kinds).map(([kind, says]) => h('div', { className: 'fault' },
      h('div', {}, h('strong', {}, kind.replaceAll('_', ' ')), h('p', {}, says)),
      h('button', { type: 'button', 'aria-label': `Let ${kind} happen once in ${world}`, onclick: () => fail(world, kind) }, 'Once'))),
  ]));
  $('faults').showModal();
}

async function fail(world, kind) {
  await api('fault', { world, kind });
  $('faults').close();
  toast(`Next: ${kind.replaceAll('_', ' ')} in ${world.replaceAll('_', ' ')}.`);
}

/* --- beginning ------------------------------------------------------------------------------------------------ */

function listen() {
  const stream = new EventSource('api/events');
  const on = (name, act) => stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
  stream.addEventListener('open', () => {
    $('link').textContent = 'Live';
    $('link').className = '';
    refresh();
  });
  stream.addEventListener('error', () => {
    $('link').textContent = 'The sandbox is away; trying again…';
    $('link').className = 'lost';
  });
  on('clock', ({ now: text }) => setClock(text));
  on('services', drawServices);
  on('changed', async ({ what, where }) => {
    try {
      if (what === 'messages') {
        if (!channel(where)) { await loadWorkspace(); drawPeople(); }
        await loadMessages(where);
      } else if (where === state.me) {
        await (what === 'views' ? loadViews() : loadHome(false));
      }
    } catch { /* said already */ }
  });
}

async function begin() {
  await loadWorkspace();
  setClock((await api('clock')).now);
  const wanted = new URLSearchParams(location.hash.slice(1));
  const known = state.people.filter((one) => !one.bot);
  state.me = (known.find((one) => one.id === wanted.get('as')) || known[0]).id;
  const opening = mine().find((one) => one.name === (wanted.get('in') || state.opening).replace('#', '')) || mine()[0];
  state.place = wanted.get('in') === HOME ? HOME : opening.id;

  $('person').addEventListener('change', (event) => become(event.currentTarget.value));
  $('home-tab').addEventListener('click', () => go(HOME));
  $('menu').addEventListener('click', () => menu(!$('sidebar').classList.contains('open')));
  $('close-thread').addEventListener('click', closeThread);
  $('open-faults').addEventListener('click', () => openFaults().catch(() => {}));
  for (const button of document.querySelectorAll('[data-advance]')) {
    button.addEventListener('click', async () => setClock((await api('clock', { advance: button.dataset.advance })).now));
  }
  composer($('composer'), $('composer-text'), () => null);
  composer($('thread-composer'), $('thread-text'), () => state.thread);
  $('modal').querySelector('form').addEventListener('submit', submitModal);
  $('modal').addEventListener('cancel', (event) => { event.preventDefault(); closeModal(); });
  for (const button of $('modal').querySelectorAll('[data-close]')) button.addEventListener('click', closeModal);
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && !document.querySelector('dialog[open]')) { menu(false); if (state.thread && event.target !== $('composer-text')) closeThread(); } });
  document.querySelector('main').addEventListener('click', () => menu(false));
  window.addEventListener('focus', () => { markRead(); drawChannels(); });
  setInterval(tick, 1000);
  await become(state.me);
  state.began = Math.max(0, ...[...state.messages.values()].flat().map((message) => parseFloat(message.ts)));
  drawChannels();
  listen();
}

begin().catch((error) => { toast(`The page could not start: ${error.message}`); });
