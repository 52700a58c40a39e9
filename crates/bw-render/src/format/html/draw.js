// The element of a row. Text of the program becomes text, by `append`, and nothing else.

/** The columns of the list of tasks: what they are sorted by, and their headings. */
const COLUMNS = [
  ['id', 'id'],
  ['name', 'name'],
  ['state', 'state'],
  ['in_state', 'in state for'],
  ['age', 'alive for'],
  ['polls', 'polls'],
  ['where', 'waits in'],
  ['spawned_at', 'spawned at'],
];

/** So many names, or tasks, speak for those of a group. */
const SAMPLES = 3;
const MORE_SAMPLES = 8;

class Drawing {
  /** `words` are marked where they are found; `isGrid` is whether rows have cells below headings. */
  constructor(dump, { words, isGrid }) {
    this.dump = dump;
    this.isGrid = isGrid;
    const quoted = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
    this.found = quoted.length > 0 ? new RegExp(`(${quoted.join('|')})`, 'giu') : null;
  }

  row(row) {
    const level = Math.min(row.base ?? row.level, INDENTED_LEVELS);
    const parts = this[row.kind](row);
    if (row.level > INDENTED_LEVELS && row.kind !== 'frame') parts.unshift(dim(`(level ${row.level})`));
    const made = element('div', {
      className: `row ${row.kind}`,
      role: this.isGrid ? 'row' : 'treeitem',
      'aria-level': row.level,
      'aria-expanded': row.key === undefined ? undefined : row.open,
      'aria-posinset': row.place?.[0],
      'aria-setsize': row.place?.[1],
      title: row.kind === 'frame' ? this.title(row) : undefined,
    });
    made.style.paddingInlineStart = `calc(${level - 1} * var(--indent) + 6px)`;
    const twisty = element('span', { className: 'twisty', 'aria-hidden': 'true' }, row.key === undefined ? '' : row.open ? '▾' : '▸');
    if (!this.isGrid) made.append(twisty, ...parts);
    else if (row.kind === 'entry') {
      parts[0].prepend(twisty);
      made.append(...parts);
    } else made.append(element('span', { className: 'whole', role: 'gridcell', 'aria-colspan': COLUMNS.length }, twisty, ...parts));
    return made;
  }

  /** Text with what is searched for marked. */
  marked(text) {
    if (!this.found) return [text];
    return text.split(this.found).map((part, at) => (at % 2 === 0 ? part : element('mark', {}, part)));
  }

  strong(text, className = '') {
    return element('span', { className: `strong ${className}` }, ...this.marked(text));
  }

  soft(text, className = '') {
    return element('span', { className: `soft ${className}` }, ...this.marked(text));
  }

  badge(task) {
    const state = this.dump.state(task);
    return element('span', { className: `badge ${Object.hasOwn(STATES, state) ? state : ''}` }, stateInWords(state));
  }

  where(task) {
    if (this.dump.tasks.trace[task] === null) return `(${this.dump.noTrace(task)})`;
    const { text, at } = this.dump.where(this.dump.tasks.trace[task]);
    return at === '' ? text : `${text} at ${at}`;
  }

  /** A few different names of tasks. */
  names(tasks) {
    const names = new Set();
    for (const task of tasks) {
      const name = this.dump.tasks.name[task];
      if (name !== null) names.add(name);
      if (names.size > SAMPLES) break;
    }
    const shown = [...names].slice(0, SAMPLES).map((name) => `"${shortened(this.dump.strings[name], 60)}"`);
    return shown.join(', ') + (names.size > SAMPLES ? ', …' : '');
  }

  group({ tasks, of, shortest, longest, open }) {
    const count = of === undefined || of === tasks.length ? plural(tasks.length, 'task') : `${grouped(tasks.length)} of ${plural(of, 'task')}`;
    const parts = [this.strong(count, 'amount'), this.badge(tasks[0])];
    const wait = this.dump.wait(tasks, shortest, longest);
    if (wait) parts.push(element('span', { className: 'wait' }, wait));
    // Of several, each is on another.
    if (tasks.length === 1 && this.dump.threads.has(tasks[0])) parts.push(this.strong(`on ${this.dump.threadOf(tasks[0])}`));
    const names = this.names(tasks);
    if (names) parts.push(element('span', { className: 'name' }, ...this.marked(names)));
    if (!open) parts.push(this.soft(this.where(tasks[0])));
    return parts;
  }

  about({ tasks }) {
    const samples = tasks.slice(0, MORE_SAMPLES).map((task) => this.dump.nameOf(task));
    const more = tasks.length > MORE_SAMPLES ? ', …' : '';
    const places = new Set();
    for (const task of tasks) places.add(this.dump.tasks.place[task]);
    const others = places.size > 1 ? `, and at ${plural(places.size - 1, 'other place')}` : '';
    return [this.soft(`${samples.join(', ')}${more}; spawned at ${this.dump.spawnedAt(tasks[0])}${others}`)];
  }

  list({ tasks, open }) {
    return [this.soft(open ? `the ${grouped(tasks.length)}` : `list all ${grouped(tasks.length)}`)];
  }

  wait(task) {
    const wait = this.dump.tasks.in_state[task];
    return element('span', { className: 'wait' }, this.dump.wait([task], wait, wait));
  }

  task({ task, open }) {
    const parts = [this.strong(`task ${this.dump.nameOf(task)}`), this.badge(task), this.wait(task)];
    if (this.dump.threads.has(task)) parts.push(this.strong(`on ${this.dump.threadOf(task)}`));
    const children = this.dump.children.get(task)?.length ?? 0;
    if (children > 0) parts.push(element('span', { className: 'children' }, children === 1 ? '1 child' : `${grouped(children)} children`));
    if (!open) parts.push(this.soft(this.where(task)));
    return parts;
  }

  details({ task, isNamed }) {
    const { polls, age, parent, nested } = this.dump.tasks;
    const said = isNamed ? [`task ${this.dump.nameOf(task)}`] : [];
    said.push(polls[task] === 0 ? 'no poll has returned' : polls[task] === 1 ? 'polled once' : `polled ${grouped(polls[task])} times`);
    if (age[task] !== null) said.push(`${span(age[task])} old`);
    said.push(`spawned at ${this.dump.spawnedAt(task)}`);
    const parts = [this.soft(said.join(', '))];
    if (parent[task] !== null) {
      const of = nested[task] ? `polled by task ${parent[task]}` : `child of task ${parent[task]}`;
      const isThere = this.dump.byId.has(parent[task]);
      parts.push(isThere ? element('button', { type: 'button', className: 'link', tabIndex: -1, 'data-reveal': parent[task] }, of) : dim(`${of}, which is not in the dump`));
    }
    return parts;
  }

  entry({ task }) {
    const { dump } = this;
    const { id, name, polls, age } = dump.tasks;
    const wait = dump.tasks.in_state[task];
    const where = this.where(task);
    const cell = (content, className = '', title) => element('span', { role: 'gridcell', className, title }, ...[content].flat());
    return [
      cell(String(id[task]), 'number'),
      cell(name[task] === null ? '' : this.marked(shortened(dump.text(name[task]))), 'name', name[task] === null ? undefined : shortened(dump.text(name[task]))),
      cell(this.badge(task)),
      cell(wait === null ? '' : span(wait), 'number'),
      cell(age[task] === null ? '' : span(age[task]), 'number'),
      cell(grouped(polls[task]), 'number'),
      cell(this.marked(where), 'where', where),
      cell(this.marked(dump.spawnedAt(task)), 'soft'),
    ];
  }

  note({ text }) {
    return [element('span', { className: 'note' }, `(${text})`)];
  }

  frame({ view, node, branch, depth, open }) {
    const frame = view.frame[node];
    const { dump } = this;
    const of = dump.strings[dump.frames.class[frame]];
    const isUsers = of === 'user' || of === 'unknown';
    const parts = [element('span', { className: 'branch', 'aria-hidden': 'true' }, branch)];
    if (depth >= INDENTED_FRAMES) parts.push(dim(`(level ${depth})`));
    parts.push(element('span', { className: isUsers ? 'function' : 'function theirs' }, ...this.marked(shortened(dump.functionOf(frame)))));
    if (view.count[node] > 1) parts.push(element('span', { className: 'note' }, `(×${grouped(view.count[node])})`));
    const position = dump.position(frame);
    if (position) parts.push(this.soft(`at ${position}`));
    const marks = view.marks[node];
    if (marks & 16) parts.push(element('span', { className: 'note' }, '(runnable: its budget is spent)'));
    if (marks & 32) parts.push(element('span', { className: 'note' }, '(polls its children with its own waker; wrap them to see them)'));
    if (marks & 8) parts.push(element('span', { className: 'note' }, '(blocks its thread)'));
    if (marks & 4) parts.push(element('span', { className: 'note' }, '(woke itself)'));
    if (marks & 2) parts.push(element('span', { className: 'note' }, '(on another thread)'));
    if (marks & 128) parts.push(element('span', { className: 'note' }, '(callers missing: the stack is deeper than a walk goes)'));
    else if (marks & 1) parts.push(element('span', { className: 'note' }, '(callers missing: the walk ended before the root)'));
    if (marks & 64) parts.push(element('span', { className: 'note' }, dump.functionOf(frame).startsWith('async fn ') ? "(the task's type: this function, or an async block in it)" : "(the task's type)"));
    if (open === false) parts.push(element('span', { className: 'note' }, '(more below)'));
    return parts;
  }

  /** The whole name of a function, where the row has a short one. */
  title({ view, node }) {
    const name = this.dump.frames.function[view.frame[node]];
    return name === null ? undefined : shortened(this.dump.strings[name], TITLE_CHARACTERS);
  }

  /** The headings of the list of tasks. */
  headings(sort) {
    const heading = ([column, text]) => {
      const isIt = sort.column === column;
      const arrow = isIt ? (sort.descending ? ' ▼' : ' ▲') : '';
      const button = element('button', { type: 'button', tabIndex: isIt ? 0 : -1, 'data-sort': column }, text, element('span', { 'aria-hidden': 'true' }, arrow));
      const order = isIt ? (sort.descending ? 'descending' : 'ascending') : 'none';
      return element('span', { role: 'columnheader', 'aria-sort': order }, button);
    };
    return element('div', { role: 'row', className: 'headings' }, ...COLUMNS.map(heading));
  }
}

function dim(text) {
  return element('span', { className: 'soft' }, text);
}

