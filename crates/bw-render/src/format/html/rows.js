// The rows of each view, as plain data: what is open, and what of it passes. `draw.js` makes elements of those that are seen.

/** Levels that are indented; deeper ones say their level. */
const INDENTED_LEVELS = 30;
const INDENTED_FRAMES = 100;

/** A dump of so few groups, or tasks, is shown open. */
const FEW_GROUPS = 12;
const FEW_TASKS = 200;

/** What a task is for microseconds, as a rule; and for how many milliseconds it has to be so to be stuck. */
const SHOULD_BE_SHORT = new Set(['polling', 'woken', 'panicked']);
const STUCK = 1_000;

/** Makes rows. A row has a `kind`, a `level`, and, if it can be opened, a `key` and whether it is `open`. */
class Rows {
  /** `toggled` has the keys of the rows that are not as they are at first. */
  constructor(dump, passes, { detail, toggled, all, order, sort }) {
    Object.assign(this, { dump, passes, detail, toggled, all, order, sort });
    this.rows = [];
  }

  /** `all` is what all groups and tasks were made: open, closed, or `null` for what each is at first. */
  isOpen(key, atFirst) {
    return this.toggled.has(key) !== (this.all ?? atFirst);
  }

  /** The same for what is inside of them, which stays as it is. */
  isInnerOpen(key, atFirst) {
    return this.toggled.has(key) !== atFirst;
  }

  /** Whether a task is open in the tree before anybody touches it. */
  isParentOpen(task) {
    return this.dump.size <= FEW_TASKS && this.dump.children.has(task);
  }

  passing(tasks) {
    return tasks.filter((task) => this.passes[task]);
  }

  /** The times of tasks in their state: shortest and longest. */
  waits(tasks) {
    let [shortest, longest] = [null, null];
    for (const task of tasks) {
      const wait = this.dump.tasks.in_state[task];
      if (wait === null) continue;
      if (longest === null || wait > longest) longest = wait;
      if (shortest === null || wait < shortest) shortest = wait;
    }
    return { shortest, longest };
  }

  // --- Groups

  groups() {
    const { dump } = this;
    const groups = [];
    dump.members.forEach((members, group) => {
      const tasks = this.passing(members);
      if (tasks.length > 0) groups.push({ key: dump.groupKey(group), tasks, of: members.length, ...this.waits(tasks) });
    });
    groups.sort((a, b) => (b.longest ?? -1) - (a.longest ?? -1));
    if (this.order === 'count') groups.sort((a, b) => b.tasks.length - a.tasks.length);
    if (this.order === 'stuck') groups.sort((a, b) => this.isStuck(b) - this.isStuck(a));
    const open = groups.length <= FEW_GROUPS;
    groups.forEach((group, at) => this.group(group, { level: 1, open, place: [at + 1, groups.length] }));
    return this.rows;
  }

  /** Tasks that wait may wait for good reasons, however long. These should not be where they are for so long. */
  isStuck({ tasks, longest }) {
    return SHOULD_BE_SHORT.has(this.dump.state(tasks[0])) && longest >= STUCK;
  }

  /** Tasks that look alike: all about them, their trace, and a list of them. */
  group(group, { level, open: atFirst, place }) {
    const { key, tasks } = group;
    const open = this.isOpen(key, atFirst);
    this.rows.push({ kind: 'group', level, key, open, place, ...group });
    if (!open) return;
    this.rows.push(tasks.length === 1 ? { kind: 'details', level: level + 1, task: tasks[0], isNamed: true } : { kind: 'about', level: level + 1, tasks });
    this.trace(tasks[0], level + 1, key);
    if (tasks.length === 1) return;
    const list = `${key} list`;
    const isListed = this.isInnerOpen(list, false);
    this.rows.push({ kind: 'list', level: level + 1, key: list, open: isListed, tasks });
    if (isListed) for (const task of tasks) this.task(task, { level: level + 2, withTrace: false });
  }

  // --- Tasks

  /** One task, and when it is open, more of it. */
  task(task, { level, withTrace = true, kind = 'task', open: atFirst = false, place }) {
    const key = this.dump.tasks.id[task];
    const open = this.isOpen(key, atFirst);
    this.rows.push({ kind, level, key, open, task, place });
    if (!open) return false;
    this.rows.push({ kind: 'details', level: level + 1, task });
    if (withTrace) this.trace(task, level + 1, key);
    return true;
  }

  /** The frames of where a task waits, or why they are not known. */
  trace(task, level, owner) {
    const { trace, no_trace: reason } = this.dump.tasks;
    if (trace[task] === null) {
      const why = this.dump.text(reason[task]);
      const text = `${why === 'over' ? '' : 'no trace: '}${this.dump.noTrace(task)}`;
      this.rows.push({ kind: 'note', level, text });
      return;
    }
    const view = this.dump.view(trace[task], this.detail);
    const { dropped, blank } = this.dump.traces[trace[task]];
    // A task's type is no frame: where it stands alone, there is no stack, or none with a name.
    const isBare = view.roots.every((node) => view.marks[node] & 64 && view.children[node].length === 0);
    this.frames(view, level, owner);
    const note = (text) => this.rows.push({ kind: 'note', level, text });
    if (view.roots.length === 0 && view.hidden > 0) note('no stack names a function but those of this library');
    if (isBare && view.hidden + dropped + blank === 0) {
      note('no stack: the future returned Pending without cloning its waker, so nothing it was handed can wake it');
    }
    if (dropped > 0) note(`${plural(dropped, 'stack')} did not fit; ask again: the next trace gets more room`);
    if (blank > 0) note(`${plural(blank, 'stack')} without frames: the walk could not even leave its leaf`);
  }

  frames(view, level, owner) {
    const ahead = view.roots.map((node) => ({ node, depth: 0, prefix: '', edge: '╼ ', room: ' ' })).reverse();
    while (ahead.length > 0) {
      const { node, depth, prefix, edge, room } = ahead.pop();
      const children = view.children[node];
      const key = children.length > 0 ? `${owner} ${this.detail} ${node}` : undefined;
      const open = key === undefined ? undefined : this.isInnerOpen(key, true);
      const branch = prefix + edge;
      this.rows.push({ kind: 'frame', level: level + depth, base: level, key, open, view, node, branch, depth });
      if (!open) continue;
      const below = depth < INDENTED_FRAMES ? prefix + room : prefix;
      for (let at = children.length - 1; at >= 0; at--) {
        const [itsEdge, itsRoom] = at === children.length - 1 ? ['└╼ ', '   '] : ['├╼ ', '│  '];
        ahead.push({ node: children[at], depth: depth + 1, prefix: below, edge: itsEdge, room: itsRoom });
      }
    }
  }

  // --- The task tree

  /** Children below their parents. Those that do not pass are there if one below them does. */
  tree() {
    const { dump, passes } = this;
    this.isKept = Uint8Array.from(passes);
    for (let task = 0; task < dump.size; task++) {
      if (!passes[task]) continue;
      for (let of = dump.parents[task]; of >= 0 && !this.isKept[of]; of = dump.parents[of]) this.isKept[of] = 1;
    }
    const ahead = this.together(dump.roots, 'roots', 1);
    ahead.reverse();
    while (ahead.length > 0) {
      const { set, task, level, place } = ahead.pop();
      if (set) {
        this.group(set, { level, open: false, place });
        continue;
      }
      const children = dump.children.get(task) ?? [];
      const isOpen = this.task(task, { level, open: this.isParentOpen(task), place });
      if (!isOpen || children.length === 0) continue;
      const below = this.together(children, dump.tasks.id[task], level + 1);
      for (let at = below.length - 1; at >= 0; at--) ahead.push(below[at]);
    }
    return this.rows;
  }

  /** Puts siblings together that look alike and have no children: they are one row. */
  together(siblings, of, level) {
    const { dump } = this;
    const entries = [];
    const sets = new Map();
    for (const task of siblings) {
      if (!this.isKept[task]) continue;
      if (dump.children.has(task)) {
        entries.push({ task, level });
        continue;
      }
      const group = dump.tasks.group[task];
      const set = sets.get(group);
      if (set) set.tasks.push(task);
      else {
        const entry = { tasks: [task], group, level };
        sets.set(group, entry);
        entries.push(entry);
      }
    }
    return entries.map(({ task, tasks, group }, at) => {
      const place = [at + 1, entries.length];
      if (task !== undefined) return { task, level, place };
      if (tasks.length === 1) return { task: tasks[0], level, place };
      return { set: { key: `${of} ${dump.groupKey(group)}`, tasks, ...this.waits(tasks) }, level, place };
    });
  }

  // --- The list

  /** Every task that passes, in the order that was chosen. */
  tasks() {
    const { dump } = this;
    const all = [];
    for (let task = 0; task < dump.size; task++) if (this.passes[task]) all.push(task);
    const rank = ranks(dump, this.sort.column);
    const sign = this.sort.descending ? -1 : 1;
    // What is not known is last, whichever way.
    if (rank) {
      all.sort((a, b) => {
        if (rank[a] === null || rank[b] === null) return (rank[a] === null) - (rank[b] === null) || a - b;
        return sign * (rank[a] - rank[b]) || a - b;
      });
    } else if (this.sort.descending) all.reverse();
    all.forEach((task, at) => this.task(task, { level: 1, kind: 'entry', place: [at + 1, all.length] }));
    return this.rows;
  }
}

/** For each task a number to sort it by, or `null` for the end; `undefined` for the order they have. */
function ranks(dump, column) {
  const { tasks } = dump;
  const byText = (numbers, text) => {
    const order = [...new Set(numbers)].filter((number) => number !== null);
    const texts = new Map(order.map((number) => [number, text(number)]));
    order.sort((a, b) => (texts.get(a) < texts.get(b) ? -1 : texts.get(a) > texts.get(b) ? 1 : 0));
    const rank = new Map(order.map((number, at) => [number, at]));
    return numbers.map((number) => (number === null ? null : rank.get(number)));
  };
  switch (column) {
    case 'name':
      return byText(tasks.name, (name) => dump.lower[name]);
    case 'state':
      return byText(tasks.state, (state) => stateInWords(dump.strings[state]));
    case 'in_state':
    case 'age':
    case 'polls':
      return tasks[column];
    case 'spawned_at':
      return byText(tasks.place, (place) => {
        const { file, line, column: at } = dump.places;
        return `${dump.lower[file[place]]}:${String(line[place]).padStart(10)}:${String(at[place]).padStart(10)}`;
      });
    case 'where':
      return byText(tasks.trace, (trace) => dump.where(trace).text);
    default:
      return undefined;
  }
}

